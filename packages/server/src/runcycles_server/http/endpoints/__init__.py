"""The endpoints, one module a topic: each holds its handlers and its rows of the table."""

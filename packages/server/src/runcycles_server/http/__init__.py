"""The authority over HTTP: one table of endpoints, and what every request passes on its way."""

"""The agent in each of its engines; a module is imported only by a process that runs it."""

"""One agent with one bug, run twice at once: with a limit and without."""

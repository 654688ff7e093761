"""The Cycles authority: it keeps the budgets and decides, over HTTP or in your process."""

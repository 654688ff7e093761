"""What every demo is made of: processes, witnesses, a list of events, and ways to show it."""

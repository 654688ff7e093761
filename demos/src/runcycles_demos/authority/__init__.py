"""The demo of action authority: an agent with five tools, and who says which it may use now."""

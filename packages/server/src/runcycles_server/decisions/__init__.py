"""What was decided, kept with what it was decided from, so that every answer can be explained."""

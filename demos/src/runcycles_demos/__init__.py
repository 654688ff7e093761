"""Demonstrations that check their own claims and need no API key."""

"""Ask before an AI agent acts: is this allowed, and is there budget for it?"""

"""The `cycles` command."""

from runcycles_server.cli.command import main

__all__ = ["main"]

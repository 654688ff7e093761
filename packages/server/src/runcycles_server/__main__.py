"""`python -m runcycles_server` is the `cycles` command."""

from runcycles_server.cli.command import main

if __name__ == "__main__":
    main()

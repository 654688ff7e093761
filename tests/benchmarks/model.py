"""A model that always says the same, in a process of its own.

Run as `python -m tests.benchmarks.model`; prints its URL and serves until its stdin closes.
"""

import sys

from runcycles.testing.model_server import ModelServer, Replies

if __name__ == "__main__":
    with ModelServer(Replies(["done"], then="repeat")) as server:
        print(server.url("bench"), flush=True)
        sys.stdin.read()

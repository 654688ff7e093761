"""A lane of the scene `shadow` that obeys what it is told, as if nobody had said shadow mode."""

import os

from runcycles_demos.runaway import lane


def main() -> None:
    del os.environ["CYCLES_MODE"]
    lane.main()


if __name__ == "__main__":
    main()

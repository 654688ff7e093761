"""A lane that starts like any other and dies in the middle of its work."""

import json
import sys


def main() -> None:
    print(json.dumps({"kind": "ready", "t": 0.0}), flush=True)  # noqa: T201 - as a real lane
    sys.stdin.readline()
    sys.exit("out of memory")


if __name__ == "__main__":
    main()

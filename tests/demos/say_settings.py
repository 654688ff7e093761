"""A process that says which Cycles settings it finds in its environment."""

import json
import os


def main() -> None:
    found = {name: text for name, text in os.environ.items() if name.startswith("CYCLES_")}
    print(json.dumps(found), flush=True)  # noqa: T201 - for the test


if __name__ == "__main__":
    main()

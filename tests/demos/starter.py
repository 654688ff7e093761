"""A process that starts a model and an authority as the demo does, says their ids, and waits."""

import json
import threading
from pathlib import Path
from tempfile import mkdtemp

from runcycles_demos.kit.processes import Child
from runcycles_demos.kit.stack import Stack


def main() -> None:
    folder = Path(mkdtemp())
    stack = Stack()
    authority = stack.authority.plus("--store", "memory:")
    children = [Child("model", stack.model, folder), Child("authority", authority, folder)]
    for child in children:
        child.document(within_s=20, check=lambda: None)
    print(json.dumps([child.pid for child in children]), flush=True)  # noqa: T201 - for the test
    threading.Event().wait()


if __name__ == "__main__":
    main()

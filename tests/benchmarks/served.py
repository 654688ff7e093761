"""`cycles dev`, with the sizes of its batches written to a file when it ends.

Run as `python -m tests.benchmarks.served SIZES.json [options of cycles dev]`.
"""

import json
import sys
from collections.abc import Sequence
from pathlib import Path

from runcycles_server.cli import main
from runcycles_server.stores.sqlite.batch import Asked, BatchRunner

sizes: list[int] = []
run_batch = BatchRunner.run


def counted(self: BatchRunner, batch: Sequence[Asked]) -> None:
    sizes.append(len(batch))
    run_batch(self, batch)


if __name__ == "__main__":
    report = Path(sys.argv.pop(1))
    sys.argv.insert(1, "dev")
    BatchRunner.run = counted  # type: ignore[method-assign]  # only looks
    try:
        main()
    finally:
        report.write_text(json.dumps(sizes))

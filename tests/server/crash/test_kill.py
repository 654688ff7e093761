"""kill -9 in the middle of the work: whatever was answered is there, and nothing else is wrong."""

import random
import signal
import subprocess
import sys
from itertools import islice
from pathlib import Path
from threading import Timer

import pytest

from tests.server.crash.evidence import Promised, check

ROUNDS = 3
AT_LEAST = 1_000
UP_TO = 2_000


def killed_at_random(path: Path, *options: str) -> list[str]:
    """The lines of an asker that was killed after some thousand answers."""
    lines = random.randint(AT_LEAST, UP_TO)
    command = [sys.executable, "-m", "tests.server.crash.asker", str(path), *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as asker:
        assert asker.stdout is not None
        too_long = Timer(120, asker.terminate)
        too_long.start()
        heard = list(islice(asker.stdout, lines))
        too_long.cancel()
        asker.kill()
        heard += [line for line in asker.stdout if line.endswith("\n")]
    assert asker.returncode == -signal.SIGKILL
    return heard


@pytest.mark.parametrize("options", [[], ["--threaded"]], ids=["inline", "threaded"])
def test_what_was_answered_before_a_kill_is_there_afterwards(
    tmp_path: Path, options: list[str]
) -> None:
    path = tmp_path / "cycles.db"
    so_far = Promised()
    for _ in range(ROUNDS):
        heard = Promised.in_lines(killed_at_random(path, *options))
        assert len(heard.reserved) + len(heard.committed) >= AT_LEAST - 1
        assert heard.failed == []
        so_far.reserved += heard.reserved
        so_far.committed += heard.committed
        account = check(path, so_far)
        assert account.spent > 0

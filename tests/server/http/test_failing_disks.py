"""A whole server on a disk that is full or fails: no answer is a lie, and what was kept stays."""

import asyncio
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.contract import check
from tests.support.crashes import (
    Scene,
    assert_asking_again_is_safe,
    assert_nothing_lost_or_oversold,
    opened,
    serving,
)
from tests.support.lines import HungUpError, Line
from tests.support.load import Load, Witness, tokens

REFUSED = 100
"""Requests that must fail before a load ends; more than there are clients."""
STRACE = ("strace", "-D", "-f", "--seccomp-bpf", "-o", "/dev/null", "-e")
DISK = 32 * 1024 * 1024
LEFT = 512 * 1024
"""What is left of a full disk when the load begins."""


class UntilRefused(Load):
    """A load whose clients give up, one after the other, once so many requests have failed."""

    async def _ask(
        self, line: Line, path: str, amount: int, body: dict[str, Any]
    ) -> tuple[int, dict[str, Any]]:
        if self.witness.failed >= REFUSED:
            self._enough.set()
            raise HungUpError
        status, said = await super()._ask(line, path, amount, body)
        if status == 500:
            assert said["error"] == "INTERNAL_ERROR"
            assert "asking again with the same key is safe" in said["message"]
        return status, said


def refused(scene: Scene, base_url: str) -> Witness:
    """What the clients of a server saw until its disk had failed them often enough."""
    load = UntilRefused(scene.tenant, scene.key, base_url)
    asyncio.run(load.run(lambda: None))
    assert load.witness.effects > 0
    return load.witness


def assert_exact(scene: Scene, base_url: str, witness: Witness) -> None:
    """The budget holds and has spent what was acknowledged, to the unit, and nothing else."""
    settled = witness.released | set(witness.charged)
    root = scene.ledgers(base_url)[""]
    assert root["reserved"] == sum(
        amount for held, amount in witness.held.items() if held not in settled
    )
    assert root["spent"] == sum(witness.charged.values()) + witness.recorded
    assert set(scene.reservations(base_url)) == set(witness.held)


def a_reserve(scene: Scene, key: str) -> dict[str, Any]:
    return {
        "idempotency_key": key,
        "subject": {"tenant": scene.tenant},
        "action": {"kind": "llm.completion", "name": "gpt-4o"},
        "estimate": tokens(5),
    }


def asked(scene: Scene, base_url: str, key: str) -> int:
    with scene.client(base_url) as http:
        return http.post("/v1/reservations", json=a_reserve(scene, key)).status_code


def health(base_url: str) -> tuple[int, int]:
    """Whether the process answers, and whether its store takes writes."""
    with httpx.Client(base_url=base_url, event_hooks={"response": [check]}) as http:
        return http.get("/healthz").status_code, http.get("/readyz").status_code


# ── full ────────────────────────────────────────────────────────────────────────────────────────


class Pretended:
    """A disk that refuses some hundred writes to the log in a row, as strace makes it do."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        inject = ("trace=pwrite64", "-e", "inject=pwrite64:error=ENOSPC:when=300..450")
        self.before = (*STRACE, *inject, "-P", str(folder / "crash.db-wal"))

    def fill(self) -> None:
        """It fills up by itself."""

    def free(self) -> None:
        """It is freed by itself."""


class Mounted:
    """A small disk that another file than ours fills up; the access log lies on it too."""

    before: tuple[str, ...] = ()

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._other = folder / "other"

    def fill(self) -> None:
        room = os.statvfs(self.folder)
        self._other.write_bytes(b"x" * (room.f_bavail * room.f_frsize - LEFT))

    def free(self) -> None:
        self._other.unlink()


@pytest.fixture(params=[Mounted, Pretended])
def disk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Mounted | Pretended]:
    """Both kinds; where nobody may mount one, the other kind again."""
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK}", "tmpfs", str(tmp_path)]
    if request.param is Pretended or subprocess.run(mount, check=False).returncode:
        yield Pretended(tmp_path)
        return
    try:
        yield Mounted(tmp_path)
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)


def test_a_full_disk_refuses_what_it_cannot_keep_and_goes_on_once_there_is_room(
    disk: Mounted | Pretended,
) -> None:
    with serving(disk.folder, before=disk.before) as process:
        base_url = process.said()["base_url"]
        scene = opened(base_url, "full")
        disk.fill()
        witness = refused(scene, base_url)
        last = asked_until(500, scene, base_url, witness)
        assert health(base_url)[0] == 200
        assert_exact(scene, base_url, witness)
        disk.free()
        assert asked_until(200, scene, base_url, witness, last) == last
        assert health(base_url) == (200, 200)
        assert_exact(scene, base_url, witness)
        assert_asking_again_is_safe(scene, base_url, witness)
        rows = scene.reservations(base_url)
        code, _, errors = process.stop()
    assert code == 0
    assert "is full; nothing was changed: free some space" in errors
    with serving(disk.folder) as process:
        assert scene.reservations(process.said()["base_url"]) == rows


def asked_until(
    status: int, scene: Scene, base_url: str, witness: Witness, again: str | None = None
) -> str:
    """Reserve until that is answered so, with a new key each time or with the same; the last key.

    Where a batch did not fit, a few single requests still may.
    """
    with scene.client(base_url) as http:
        for number in range(1_000):
            key = again or f"single-{number}"
            answer = http.post("/v1/reservations", json=a_reserve(scene, key))
            if answer.status_code == 200:
                witness.held[answer.json()["reservation_id"]] = 5
            if answer.status_code == status:
                return key
    pytest.fail(f"{status} was never answered")


def test_an_access_log_that_takes_no_more_keeps_nobody_from_being_answered(
    tmp_path: Path,
) -> None:
    with serving(tmp_path, log="/dev/full") as process:
        base_url = process.said()["base_url"]
        scene = opened(base_url, "unlogged")
        assert [asked(scene, base_url, key) for key in "ab"] == [200, 200]
        code, _, errors = process.stop()
    assert code == 0
    assert errors.count("\n") == 1
    assert "the access log cannot be written (No space left on device)" in errors


# ── broken ──────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_after_a_sync_that_failed_nothing_is_written_until_a_new_start(
    tmp_path: Path, number: signal.Signals
) -> None:
    """The kernel may have dropped what it could not write, so a second sync would prove nothing."""
    inject = ("trace=fdatasync,fsync", "-e", "inject=fdatasync,fsync:error=EIO:when=40")
    with serving(tmp_path, before=(*STRACE, *inject)) as process:
        base_url = process.said()["base_url"]
        scene = opened(base_url, "broken")
        witness = refused(scene, base_url)
        ledgers, rows = scene.ledgers(base_url), scene.reservations(base_url)
        assert health(base_url) == (200, 500)
        assert [asked(scene, base_url, f"too late {n}") for n in range(20)] == [500] * 20
        assert_exact(scene, base_url, witness)
        assert (scene.ledgers(base_url), scene.reservations(base_url)) == (ledgers, rows)
        process.stop(number)
    with serving(tmp_path) as process:
        base_url = process.said()["base_url"]
        assert health(base_url) == (200, 200)
        assert_nothing_lost_or_oversold(scene, base_url, witness)
        assert_asking_again_is_safe(scene, base_url, witness)
        assert asked(scene, base_url, "too late 0") == 200

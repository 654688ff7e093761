"""A server that dies or is stopped under load: what it acknowledged stays, nothing is oversold."""

import asyncio
import json
import signal
from pathlib import Path
from typing import Any

from tests.support.crashes import opened, rounds, serving
from tests.support.lines import HungUpError, Line
from tests.support.load import tokens
from tests.support.processes import Process

ROUNDS = 10


def test_what_was_acknowledged_survives_a_kill(tmp_path: Path) -> None:
    found = list(rounds(tmp_path, ROUNDS, signal.SIGKILL))
    assert len(found) == ROUNDS
    assert any(each.unanswered for each in found)


def test_an_orderly_stop_under_load_answers_all_that_it_did(tmp_path: Path) -> None:
    found = list(rounds(tmp_path, ROUNDS, signal.SIGTERM))
    assert [each.unheard_holds for each in found] == [0] * ROUNDS


def test_a_request_that_has_begun_is_finished_after_the_signal(tmp_path: Path) -> None:
    with serving(tmp_path) as process:
        _straddled(process)


def _straddled(process: Process) -> None:
    base_url = process.said()["base_url"]
    scene = opened(base_url, "straddling")
    body = {
        "idempotency_key": "begun",
        "subject": {"tenant": scene.tenant},
        "action": {"kind": "llm.completion", "name": "gpt-4o"},
        "estimate": tokens(5),
    }
    content = json.dumps(body).encode()

    async def straddle() -> tuple[int, dict[str, Any]]:
        async with Line(base_url, scene.key) as line:
            await line.send("/v1/reservations", len(content), content[:20])
            await wait_until_begun()
            process.started.send_signal(signal.SIGTERM)
            await wait_until_closed(base_url)
            await line.send_more(content[20:])
            return await line.answer()

    async def wait_until_begun() -> None:
        async with Line(base_url, scene.key) as other:  # answered later than what came before it
            await other.post("/v1/decide", {})

    status, said = asyncio.run(straddle())
    assert (status, said["decision"]) == (200, "ALLOW")
    assert process.ended()[0] == 0


async def wait_until_closed(base_url: str) -> None:
    """Until the server takes no new connections."""
    async with asyncio.timeout(10):
        while True:
            try:
                async with Line(base_url, ""):
                    pass
            except HungUpError:
                return

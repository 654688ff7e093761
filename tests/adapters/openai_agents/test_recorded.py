"""Recorded traffic, replayed without a server: the OpenAI client's own parsing, run by run.

Recorded against the model server on loopback; `RECORD=1` records again what is missing.
"""

import os
from pathlib import Path
from typing import Any

import pytest
from agents import Agent, OpenAIProvider
from vcr import VCR  # type: ignore[import-untyped]  # has no types

from runcycles import AsyncCyclesClient, usd
from runcycles.adapter_suite import MODEL
from runcycles.pricing import ModelUsage, PriceBook
from runcycles.testing import InMemoryAuthority
from runcycles.testing.model_server import ModelServer, Replies, Reply
from runcycles_openai_agents import guard
from tests.adapters.openai_agents.engine import client_of, finished
from tests.adapters.openai_agents.stage import RUN, calls
from tests.adapters.openai_agents.test_guarding import look_up

CASSETTES = Path(__file__).parent / "cassettes"
NOWHERE = f"http://127.0.0.1:9/{RUN}/v1"
HELLO = Reply(
    text="hello", prompt_tokens=1_000, completion_tokens=50, cached_tokens=400, reasoning_tokens=20
)
ASK_TOOL = calls("look_up")
RUNS: dict[str, list[Reply]] = {
    "normal": [HELLO],
    "tool": [ASK_TOOL, HELLO],
    "stream": [HELLO],
    "chat": [HELLO],
    "chat_stream": [HELLO],
}
COST = PriceBook().cost(MODEL, ModelUsage(input_tokens=1_000, output_tokens=50, cached_tokens=400))


def without_headers(request: Any) -> Any:
    request.headers = {}
    return request


def without_port(request: Any) -> Any:
    request.uri = NOWHERE + request.uri.partition("/v1")[2]
    return without_headers(request)


TAPES = VCR(
    cassette_library_dir=str(CASSETTES),
    record_mode="once" if os.environ.get("RECORD") else "none",
    match_on=["method", "path"],
    before_record_request=without_port,
    decode_compressed_response=True,
)


async def played(name: str, url: str) -> tuple[str, InMemoryAuthority]:
    authority = InMemoryAuthority(budgets={"tenant:acme": usd(10)})
    models = OpenAIProvider(openai_client=client_of(url), use_responses="chat" not in name)
    agent = Agent[Any](name="writer", model=MODEL, tools=[look_up] if name == "tool" else [])
    guard(agent, AsyncCyclesClient(authority=authority), provider=models)
    return await finished(agent, stream="stream" in name), authority


@pytest.mark.parametrize("name", RUNS)
async def test_a_recorded_run_is_charged_as_it_was(name: str) -> None:
    with TAPES.use_cassette(f"{name}.yaml") as tape:
        if os.environ.get("RECORD"):
            with ModelServer(Replies(RUNS[name])) as server:
                await played(name, server.url(RUN))
        else:
            answer, authority = await played(name, NOWHERE)
            last = max(authority.reservations(), key=lambda each: each.reservation_id)
            assert (answer, last.charged) == ("hello", COST.amount)
            assert tape.all_played
            assert tape.play_count == len(RUNS[name])


def test_every_run_is_recorded_and_no_recording_holds_a_key() -> None:
    assert {path.stem for path in CASSETTES.glob("*.yaml")} == set(RUNS)
    for path in CASSETTES.glob("*.yaml"):
        text = path.read_text(encoding="utf-8").lower()
        assert "authorization" not in text
        assert "no key" not in text
        assert "bearer" not in text

"""Recorded traffic, replayed without a server: LangChain's own parsing, run by run.

Recorded against the model server on loopback; `RECORD=1` records again what is missing.
"""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from langchain.agents import create_agent
from vcr import VCR  # type: ignore[import-untyped]  # has no types

from runcycles import CyclesClient, usd
from runcycles.adapter_suite import MODEL
from runcycles.pricing import ModelUsage, PriceBook
from runcycles.testing import InMemoryAuthority
from runcycles.testing.model_server import ModelServer, Replies, Reply
from runcycles_langchain import guard_model, guard_tools
from tests.adapters.langchain.engine import scripted
from tests.adapters.langchain.stage import ROOT, RUN, calls

CASSETTES = Path(__file__).parent / "cassettes"
NOWHERE = f"http://127.0.0.1:9/{RUN}/v1"
KEY = "sk-a-key-that-must-not-be-kept"
HELLO = Reply(
    text="hello", prompt_tokens=1_000, completion_tokens=50, cached_tokens=400, reasoning_tokens=20
)
RUNS: dict[str, list[Reply]] = {
    "normal": [HELLO],
    "tool": [calls("look_up", topic="price"), HELLO],
    "stream": [HELLO],
    "responses": [HELLO],
    "responses_stream": [HELLO],
}
COST = PriceBook().cost(MODEL, ModelUsage(input_tokens=1_000, output_tokens=50, cached_tokens=400))


def look_up(topic: str) -> str:
    """Look a topic up."""
    return f"found {topic}"


def without_the_machine(request: Any) -> Any:
    request.uri = NOWHERE + request.uri.partition("/v1")[2]
    request.headers = {}
    return request


def says_the_same(one: Any, other: Any) -> None:
    """Clients of different versions put the keys of a body in different orders."""
    assert json.loads(one.body) == json.loads(other.body)


TAPES = VCR(
    cassette_library_dir=str(CASSETTES),
    record_mode="once" if os.environ.get("RECORD") else "none",
    match_on=["method", "path", "same_json"],
    before_record_request=without_the_machine,
    decode_compressed_response=True,
)
TAPES.register_matcher("same_json", says_the_same)


def played(name: str, url: str) -> tuple[str, InMemoryAuthority]:
    authority = InMemoryAuthority(budgets={ROOT: usd(10)})
    client = CyclesClient(authority=authority)
    plain = scripted(url, api_key=KEY, use_responses_api="responses" in name)
    tools = guard_tools([look_up] if name == "tool" else [], client)
    agent: Any = create_agent(guard_model(plain, client), tools)
    asked = {"messages": [("user", "What does it cost?")]}
    if "stream" in name:
        parts = [part.text for part, _ in agent.stream(asked, stream_mode="messages")]
        return "".join(parts), authority
    return str(agent.invoke(asked)["messages"][-1].text), authority


@pytest.mark.parametrize("name", RUNS)
def test_a_recorded_run_is_charged_as_it_was(name: str) -> None:
    with TAPES.use_cassette(f"{name}.yaml") as tape:
        if os.environ.get("RECORD"):
            with ModelServer(Replies(RUNS[name])) as server:
                played(name, server.url(RUN))
        else:
            answer, authority = played(name, NOWHERE)
            last = max(authority.reservations(), key=lambda each: each.reservation_id)
            assert (answer, last.charged) == ("hello", COST.amount)
            assert tape.all_played
            assert tape.play_count == len(RUNS[name])


def test_every_run_is_recorded_and_no_recording_holds_a_key() -> None:
    assert {path.stem for path in CASSETTES.glob("*.yaml")} == set(RUNS)
    for path in CASSETTES.glob("*.yaml"):
        text = path.read_text(encoding="utf-8").lower()
        assert "authorization" not in text
        assert KEY not in text
        assert "bearer" not in text

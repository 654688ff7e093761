"""The recorded runs; `python -m tests.adapters.crewai.record` records them anew, on loopback."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import vcr  # type: ignore[import-untyped]  # has no types
from crewai.tools import tool

from runcycles import CyclesClient
from runcycles.adapter_suite import MODEL, Watched
from runcycles.testing.model_server import ModelServer
from runcycles_crewai import cycles_crew
from tests.adapters.crewai.engine import scripted
from tests.adapters.crewai.rig import answering, calling, crew_of

CASSETTES = Path(__file__).parent / "cassettes"
NOBODY = "http://127.0.0.1:9/team/v1"
KEY = "sk-a-key-that-must-not-be-kept"


@tool("look_up")
def look_up(query: str) -> str:
    """Look something up."""
    return f"found {query}"


def normal(url: str) -> Any:
    return crew_of(scripted(url, api_key=KEY)).kickoff()


def with_a_tool(url: str) -> Any:
    return crew_of(scripted(url, api_key=KEY), look_up).kickoff()


def streamed(url: str) -> Any:
    return crew_of(scripted(url, api_key=KEY, stream=True)).kickoff()


RUNS: dict[str, tuple[Callable[[str], Any], Any, list[str]]] = {
    "normal": (normal, answering, [MODEL]),
    "tool": (with_a_tool, calling("look_up"), [MODEL, "look_up", MODEL]),
    "stream": (streamed, answering, [MODEL]),
}
"""What runs, what the model answers, and what is asked for."""


@contextmanager
def cassette(name: str, mode: str = "none") -> Iterator[Any]:
    """What was recorded under this name."""
    player = vcr.VCR(
        cassette_library_dir=str(CASSETTES),
        record_mode=mode,
        match_on=["method", "path", "query", "body"],  # the model server's port changes
        filter_headers=["authorization", "host", "user-agent"],
        before_record_request=_without_the_machine,
        decode_compressed_response=True,
    )
    with player.use_cassette(f"{name}.yaml") as played:
        yield played


def _without_the_machine(request: Any) -> Any:
    for name in [*request.headers]:
        if name.lower().startswith("x-stainless"):
            del request.headers[name]
    return request


def main() -> None:
    """Record each run, guarded, as it is replayed."""
    for name, (run, script, _) in RUNS.items():
        (CASSETTES / f"{name}.yaml").unlink(missing_ok=True)
        with (
            ModelServer(script) as server,
            CyclesClient(authority=Watched()) as client,
            cassette(name, "all"),
            cycles_crew(client),
        ):
            run(server.url("team"))


if __name__ == "__main__":
    main()

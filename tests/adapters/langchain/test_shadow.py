"""Shadow mode: everything runs unchanged, is seen, and the log says what would be refused."""

import logging
from typing import Any

import pytest

from runcycles import CyclesClient, CyclesConfig
from runcycles.adapter_suite import Toolbox, Watched
from runcycles.testing.model_server import ModelServer
from tests.adapters.langchain.engine import QUESTIONS, TEAM, Callbacks, Guarded, Middleware
from tests.adapters.langchain.stage import NOTHING

ENGINES: dict[str, Any] = {engine.name: engine() for engine in (Guarded, Middleware, Callbacks)}


@pytest.mark.parametrize(("scenario", "mode"), QUESTIONS)
@pytest.mark.parametrize("engine", ENGINES.values(), ids=ENGINES)
def test_what_would_be_refused_runs_and_is_recorded(
    engine: Any, scenario: str, mode: str, caplog: pytest.LogCaptureFixture
) -> None:
    watched, toolbox = Watched(budget=NOTHING), Toolbox()
    config = CyclesConfig(base_url="embedded:", mode="shadow")  # type: ignore[arg-type]  # as text
    client = CyclesClient(config, authority=watched)
    with ModelServer(TEAM) as server, caplog.at_level(logging.WARNING, "runcycles"):
        url = server.url("team")
        engine.run(scenario, mode, url=url, client=client, toolbox=toolbox)
        requests = server.meter("team").requests
    models = [op for op in watched.recorded if op.action.kind == "llm.completion"]
    assert len(watched.recorded) == QUESTIONS[scenario, mode]
    assert (len(models), watched.open, watched.asked) == (requests, set(), [])
    assert caplog.text.count("would have been refused") >= requests

"""Shadow mode: everything is asked and recorded, nothing is stopped or changed."""

import random
from typing import Any

import pytest
from agents import RunConfig

from runcycles import usd
from runcycles.adapter_suite import MODEL
from runcycles.testing.model_server import ModelRequest, Reply
from runcycles_openai_agents import CyclesModelProvider, CyclesRunHooks, guard
from tests.adapters.openai_agents.engine import finished
from tests.adapters.openai_agents.stage import calls, stage
from tests.adapters.openai_agents.test_guarding import DEAR, look_up


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("way", ["guard", "hooks", "hooks and provider"])
async def test_what_would_be_refused_runs_and_is_logged(
    way: str, stream: bool, caplog: pytest.LogCaptureFixture
) -> None:
    limits: list[int | None] = []

    def script(request: ModelRequest, call: int, rng: random.Random, /) -> Reply:
        limits.append(request.max_tokens)
        return calls("look_up") if call == 1 else Reply(text="done")

    with stage(script=script, budget=usd("0.00000001"), mode="shadow") as it:
        options: dict[str, Any] = {"tools": {"look_up": DEAR}}
        agent = it.agent(model=MODEL, tools=[look_up])
        by_provider = way == "hooks and provider"
        models = CyclesModelProvider(it.client, it.models()) if by_provider else it.models()
        config = RunConfig(model_provider=models)
        if way == "guard":
            guard(agent, it.client, provider=it.models(), **options)
            answer = await finished(agent, stream=stream)
        else:
            async with CyclesRunHooks(it.client, models=not by_provider, **options) as hooks:
                answer = await finished(agent, stream=stream, hooks=hooks, run_config=config)
        assert answer == "done"
        assert it.requests == 2
        assert limits == [None, None]
        assert it.reservations == []
        assert len(it.authority.asked) == 3
        assert all(each.dry_run for each in it.authority.asked)
        assert caplog.text.count("would have been refused") == 3

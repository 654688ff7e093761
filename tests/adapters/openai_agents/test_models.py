"""Models: objects, names, and where the run says otherwise."""

import copy
from typing import Any

import pytest
from agents import Agent, RunConfig, set_default_openai_client

from runcycles import AsyncCyclesClient
from runcycles.adapter_suite import MODEL
from runcycles.testing import InMemoryAuthority
from runcycles_openai_agents import CyclesModel, CyclesModelProvider, guard
from tests.adapters.openai_agents.engine import client_of, finished
from tests.adapters.openai_agents.stage import calls, stage
from tests.adapters.openai_agents.test_guarding import look_up, names


async def test_a_model_may_be_a_name() -> None:
    with stage() as it:
        agent = guard(Agent(name="a", model=MODEL), it.client, provider=it.models())
        assert await finished(agent) == "hello"
        assert names(it) == [MODEL]


async def test_an_agent_without_a_model_has_the_default_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OPENAI_DEFAULT_MODEL", MODEL)
    with stage() as it:
        agent = guard(Agent(name="a"), it.client, provider=it.models())
        assert await finished(agent) == "hello"
        assert names(it) == [MODEL]


async def test_the_default_provider_finds_models_as_the_sdk_does() -> None:
    with stage() as it:
        agent = guard(Agent(name="a", model=MODEL), it.client)
        set_default_openai_client(client_of(it.url), use_for_tracing=False)
        try:
            assert await finished(agent) == "hello"
        finally:
            nobody: Any = None
            set_default_openai_client(nobody, use_for_tracing=False)
        assert names(it) == [MODEL]


async def test_a_guarded_model_passes_for_the_model_it_guards() -> None:
    with stage() as it:
        inner = it.models().get_model(MODEL)
        model = CyclesModel(it.client, inner)
        assert model.model == MODEL
        assert model.get_retry_advice.__name__ == "get_retry_advice"
        assert copy.copy(model).model == MODEL
        assert not hasattr(model, "no such thing")
        await model.close()


async def test_looking_at_an_agent_needs_no_credentials() -> None:
    assert not hasattr(
        CyclesModel(AsyncCyclesClient(authority=InMemoryAuthority()), MODEL), "model_dump"
    )


async def test_a_model_of_the_run_config_is_guarded_where_it_is_one_of_ours() -> None:
    with stage() as it:
        agent = guard(it.agent(), it.client)
        theirs = RunConfig(model=it.models().get_model(MODEL))
        await finished(agent, run_config=theirs)
        assert names(it) == []  # it replaces the agent's model, and nobody sees it
        ours = RunConfig(model=CyclesModel(it.client, MODEL, provider=it.models()))
        await finished(agent, run_config=ours)
        assert names(it) == [MODEL]


async def test_a_provider_guards_models_by_name_for_agents_used_as_tools_too() -> None:
    with stage(calls("ask"), "from the helper", "done") as it:
        helper = Agent[Any](name="helper", model=MODEL)
        lead = Agent[Any](name="lead", model=MODEL, tools=[helper.as_tool("ask", "Ask.")])
        models = CyclesModelProvider(it.client, it.models())
        await finished(lead, run_config=RunConfig(model_provider=models))
        await models.aclose()
        assert names(it) == [MODEL, MODEL, MODEL]


async def test_a_provider_does_not_see_model_objects_and_tools() -> None:
    with stage(calls("look_up"), "done") as it:
        models = CyclesModelProvider(it.client, it.models())
        agent = it.agent(tools=[look_up])
        await finished(agent, run_config=RunConfig(model_provider=models))
        assert names(it) == []


async def test_a_guarded_agent_and_a_provider_do_not_charge_twice() -> None:
    with stage() as it:
        models = CyclesModelProvider(it.client, it.models())
        agent = guard(Agent(name="a", model=MODEL), it.client, provider=models)
        await finished(agent, run_config=RunConfig(model_provider=models))
        assert names(it) == [MODEL]

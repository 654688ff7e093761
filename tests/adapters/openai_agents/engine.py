"""How the OpenAI Agents SDK runs the suite's team: guarded in place, or by hooks and a provider."""

import asyncio
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

import openai
from agents import (
    Agent,
    FunctionTool,
    ModelProvider,
    OpenAIProvider,
    RunConfig,
    Runner,
    function_tool,
)

from runcycles.adapter_suite import HELPER, MODEL, Team, Toolbox
from runcycles.default_client import AnyClient
from runcycles_openai_agents import CyclesModelProvider, CyclesRunHooks, guard

TEAM = Team(passes_on=("ask_helper", "transfer_to_helper"))
VERSION = f"openai-agents {version('openai-agents')}"


def client_of(url: str, *, retries: int = 0) -> openai.AsyncOpenAI:
    """OpenAI's own client, talking to a model server."""
    return openai.AsyncOpenAI(
        base_url=url,
        api_key="no key",
        max_retries=retries,
        default_headers={"Connection": "close"},  # no connection outlives the loop that opened it
    )


def provider(url: str, *, responses: bool = True, retries: int = 0) -> OpenAIProvider:
    """The SDK's own provider, with that client."""
    return OpenAIProvider(openai_client=client_of(url, retries=retries), use_responses=responses)


def tools_of(toolbox: Toolbox) -> list[Any]:
    return [function_tool(toolbox.look_up), function_tool(toolbox.take_note)]


def team(scenario: str, toolbox: Toolbox, **as_tool: Any) -> Agent[Any]:
    """The lead, with its two tools, and with the helper where the scenario has one."""
    look_up, take_note = tools_of(toolbox)
    lead: Agent[Any] = Agent(
        name="lead", instructions="You lead.", model=MODEL, tools=[look_up, take_note]
    )
    helper: Agent[Any] = Agent(
        name="helper", instructions=f"You are the {HELPER}.", model=MODEL, tools=[look_up]
    )
    if scenario == "sub_agent":
        asked: FunctionTool = helper.as_tool("ask_helper", "Asks the helper.", **as_tool)
        lead.tools.append(asked)
    if scenario == "handoff":
        lead.handoffs.append(helper)
    return lead


async def finished(
    agent: Agent[Any], question: str = "What does it cost?", *, stream: bool = False, **options: Any
) -> str:
    """Run an agent to its end."""
    if not stream:
        return str((await Runner.run(agent, question, **options)).final_output)
    streamed = Runner.run_streamed(agent, question, **options)
    async for _ in streamed.stream_events():
        pass
    return str(streamed.final_output)


def finished_sync(agent: Agent[Any], question: str = "What does it cost?", **options: Any) -> str:
    """`Runner.run_sync`, which leaves the thread's event loop open, on one that is closed."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    try:
        return str(Runner.run_sync(agent, question, **options).final_output)
    finally:
        asyncio.set_event_loop(None)
        loop.close()


class Guarded:
    """`guard(agent)`: nothing else is changed."""

    version = f"{VERSION}, guard(agent)"

    def __init__(self, *, responses: bool = True, **options: Any) -> None:
        self._responses = responses
        self._options = options

    def run(
        self, scenario: str, mode: str, *, url: str, client: AnyClient, toolbox: Toolbox
    ) -> str:
        models = provider(url, responses=self._responses)
        lead = guard(team(scenario, toolbox), client, provider=models, **self._options)
        if mode == "sync":
            return finished_sync(lead)
        return asyncio.run(finished(lead, stream=scenario == "stream"))


class Unguarded:
    """The same team without us, to see that the suite's check can fail."""

    version = f"{VERSION}, unguarded"

    def run(
        self, scenario: str, mode: str, *, url: str, client: AnyClient, toolbox: Toolbox
    ) -> str:
        config = RunConfig(model_provider=provider(url))
        lead = team(scenario, toolbox)
        return asyncio.run(finished(lead, stream=scenario == "stream", run_config=config))


Wraps = Callable[[AnyClient, ModelProvider], ModelProvider]


class Hooked:
    """Hooks ask for the tools, and for the models too unless the provider does."""

    def __init__(self, *, by_provider: bool = False) -> None:
        self._by_provider = by_provider
        self.version = f"{VERSION}, hooks" + (" and provider" if by_provider else "")

    def run(
        self, scenario: str, mode: str, *, url: str, client: AnyClient, toolbox: Toolbox
    ) -> str:
        async def main() -> str:
            models: ModelProvider = provider(url)
            if self._by_provider:
                models = CyclesModelProvider(client, models)
            config = RunConfig(model_provider=models)
            async with CyclesRunHooks(client, models=not self._by_provider) as hooks:
                lead = team(scenario, toolbox, hooks=hooks, failure_error_function=None)
                stream = scenario == "stream"
                return await finished(lead, stream=stream, run_config=config, hooks=hooks)

        return asyncio.run(main())

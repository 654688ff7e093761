"""The support bot as three agents of the OpenAI Agents SDK, guarded in place by `guard`."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import openai
from agents import Agent, ModelResponse, ModelSettings, OpenAIChatCompletionsModel, Runner

from runcycles_demos.runaway.agent import MAX_TOKENS, MODEL, TASKS, Steps, SupportBot
from runcycles_demos.runaway.job import Job
from runcycles_demos.runaway.terms import AGENT
from runcycles_demos.runaway.watch import Watch
from runcycles_openai_agents import guard


@contextmanager
def bot(job: Job, watch: Watch) -> Iterator[Steps]:
    """Yield the agent's steps, each of them one run of the SDK, all on one event loop."""
    client = openai.AsyncOpenAI(base_url=job.model_url, api_key="no-key", max_retries=0)
    model = _watched(watch)(MODEL, client)
    limit = ModelSettings(max_tokens=MAX_TOKENS)
    agents: dict[str, Agent[Any]] = {
        task: Agent(name=AGENT, instructions=task, model=model, model_settings=limit)
        for task in TASKS
    }
    if job.guarded:
        for agent in agents.values():
            guard(agent, prices=job.prices)

    with asyncio.Runner() as loop:

        def ask(task: str, text: str) -> str:
            return str(loop.run(Runner.run(agents[task], text)).final_output)

        yield SupportBot(ask, remembers=job.by_tokens).steps()
        loop.run(client.close())


def _watched(watch: Watch) -> type[OpenAIChatCompletionsModel]:
    """The SDK's own client of the model, which counts the requests that it makes."""

    class Watched(OpenAIChatCompletionsModel):
        async def get_response(self, *args: Any, **kwargs: Any) -> ModelResponse:
            watch.enter()
            return await super().get_response(*args, **kwargs)

    return Watched

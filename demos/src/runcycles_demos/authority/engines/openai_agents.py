"""The agent of the OpenAI Agents SDK, guarded in place by `guard`; its model's calls cost nothing.

The SDK's guard holds something for every tool, so reading a case is held at $0.00 here.
"""

import asyncio
from typing import Any

import openai
from agents import (
    Agent,
    ModelSettings,
    OpenAIChatCompletionsModel,
    RunConfig,
    Runner,
    function_tool,
)

from runcycles import usd
from runcycles.pricing import PriceBook
from runcycles_demos.authority.agent import AGENT, INSTRUCTIONS, MAX_TOKENS, MODEL
from runcycles_demos.authority.job import Job
from runcycles_openai_agents import guard

_TURNS = 1_000  # one for each tool call; the demo's longest run takes less


def work(job: Job) -> str:
    """Let the agent work until it has nothing more to ask of its tools."""
    return asyncio.run(_work(job))


async def _work(job: Job) -> str:
    async with openai.AsyncOpenAI(
        base_url=job.model_url, api_key="no-key", max_retries=0
    ) as client:
        agent: Agent[Any] = Agent(
            name=AGENT,
            instructions=INSTRUCTIONS,
            model=OpenAIChatCompletionsModel(MODEL, client),
            model_settings=ModelSettings(max_tokens=MAX_TOKENS),
            tools=[function_tool(tool) for tool in job.tools],
        )
        if job.client is not None:
            free = PriceBook(unknown_price=usd(0))
            guard(agent, job.client, refusal="tell_model", prices=free, **job.options)
        config = RunConfig(group_id=job.run_id, tracing_disabled=True)
        done = await Runner.run(agent, job.task, max_turns=_TURNS, run_config=config)
        return str(done.final_output)

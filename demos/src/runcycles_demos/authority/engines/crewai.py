"""The agent as a CrewAI crew of one, its tools guarded by `guard_tool`.

A refusal ends a crew. Here the work is to go on, so the next crew is told what the last one did
and what was refused.
"""

import logging
from functools import wraps
from typing import Any

from crewai import LLM, Agent, Crew, Task
from crewai.tools import BaseTool, tool

from runcycles import DeniedError
from runcycles_crewai import guard_tool
from runcycles_demos.authority.actions import READ
from runcycles_demos.authority.agent import AGENT, INSTRUCTIONS, MAX_TOKENS, MODEL, Tool
from runcycles_demos.authority.guard import refusal_text, with_reading_decided
from runcycles_demos.authority.job import Job
from runcycles_demos.authority.script import retold

_STEPS = 1_000  # of one crew; the demo's longest run takes less


def work(job: Job) -> str:
    """Let crews work until one of them has nothing more to ask of its tools."""
    logging.getLogger("crewai").setLevel(logging.ERROR)  # it warns that it only guesses at tokens
    llm = LLM(
        model=MODEL,
        base_url=job.model_url,
        api_key="no-key",
        max_tokens=MAX_TOKENS,
        max_retries=0,
    )
    results: list[tuple[str, str]] = []
    tools = [_guarded(_remembering(each, results), job) for each in with_reading_decided(job)]
    while True:
        text = job.task + (retold(results) if results else "")
        try:
            return str(_crew(llm, tools).kickoff(inputs={"text": text}).raw)
        except DeniedError as refusal:
            results.append(("refused", refusal_text("that was to come next", refusal)))


def _crew(llm: LLM, tools: list[BaseTool]) -> Any:
    agent = Agent(
        role=AGENT,
        goal="Work on support cases.",
        backstory=INSTRUCTIONS,
        llm=llm,
        tools=tools,
        max_iter=_STEPS,
    )
    work = Task(description="{text}", expected_output="what was done", agent=agent)
    return Crew(agents=[agent], tasks=[work])


def _guarded(plain: Tool, job: Job) -> BaseTool:
    made: BaseTool = tool(plain.__name__)(plain)
    if job.client is None or plain.__name__ == READ:
        return made
    return guard_tool(made, job.client, agent=AGENT, run_id=job.run_id, **job.options)


def _remembering(plain: Tool, results: list[tuple[str, str]]) -> Tool:
    @wraps(plain)
    def remembered(*args: Any, **kwargs: Any) -> str:
        result = plain(*args, **kwargs)
        results.append((plain.__name__, result))
        return result

    return remembered

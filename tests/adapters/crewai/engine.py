"""How CrewAI runs the team of the suite, guarded by `cycles_crew`."""

import asyncio
from contextlib import AbstractContextManager, nullcontext
from importlib.metadata import version
from typing import Any

from crewai import LLM, Agent, Crew, Task
from crewai.agents.agent_builder.base_agent import BaseAgent
from crewai.tools import tool

from runcycles.adapter_suite import HELPER, MODEL, Team, Toolbox
from runcycles.default_client import AnyClient
from runcycles_crewai import cycles_crew

DELEGATE = "delegate_work_to_coworker"
TEAM = Team(
    passes_on=(DELEGATE,),
    arguments={DELEGATE: {"task": "find it", "context": "the price", "coworker": HELPER}},
)
QUESTIONS = {
    ("tools", "sync"): 4,  # the lead, its two tools, the lead again
    ("tools", "async"): 4,
    ("sub_agent", "sync"): 9,  # … delegation, the helper, its tool, the helper again, the lead
    ("sub_agent", "async"): 9,
    ("stream", "sync"): 4,
    ("stream", "async"): 4,
}


def scripted(url: str, **settings: Any) -> LLM:
    """The model at some URL, as CrewAI's own client asks it."""
    wanted: dict[str, Any] = {"model": MODEL, "base_url": url, "api_key": "no-key"}
    return LLM(**wanted | {"max_retries": 0} | settings)


def tools_of(toolbox: Toolbox) -> list[Any]:
    return [tool(toolbox.look_up), tool(toolbox.take_note)]


def team(scenario: str, url: str, toolbox: Toolbox) -> Crew:
    llm = scripted(url)
    tools = tools_of(toolbox)
    lead = Agent(
        role="lead",
        goal="lead the team",
        backstory="a lead",
        llm=llm,
        tools=tools,
        allow_delegation=scenario == "sub_agent",
        cache=False,
    )
    helper = Agent(role=HELPER, goal="assist", backstory="a hand", llm=llm, tools=tools[:1])
    agents: list[BaseAgent] = [lead, helper] if scenario == "sub_agent" else [lead]
    task = Task(description="what does it cost?", expected_output="a price", agent=lead)
    return Crew(agents=agents, tasks=[task], stream=scenario == "stream", cache=False)


class Engine:
    """CrewAI, with everything inside one block."""

    @property
    def version(self) -> str:
        return f"crewai {version('crewai')}"

    def run(
        self, scenario: str, mode: str, *, url: str, client: AnyClient, toolbox: Toolbox
    ) -> str:
        with self.guarded(client):
            crew = team(scenario, url, toolbox)
            if mode == "async":
                return asyncio.run(_finish_async(crew))
            return _finish(crew)

    def guarded(self, client: AnyClient) -> AbstractContextManager[Any]:
        return cycles_crew(client)


class Unguarded(Engine):
    """The same team with nobody asking, by which the suite proves that it would notice."""

    def guarded(self, client: AnyClient) -> AbstractContextManager[Any]:
        return nullcontext()


def _finish(crew: Crew) -> str:
    output: Any = crew.kickoff()
    if crew.stream:
        for _ in output:
            pass
        output = output.result
    return str(output.raw)


async def _finish_async(crew: Crew) -> str:
    output: Any = await crew.akickoff()
    if crew.stream:
        async for _ in output:
            pass
        output = output.result
    return str(output.raw)

"""The support bot as three CrewAI crews; in the guarded lane, inside of a `cycles_crew` block."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

import httpx
from crewai import LLM, Agent, Crew, CrewOutput, Task
from crewai.llms.base_llm import BaseLLM
from crewai.llms.hooks.base import BaseInterceptor

from runcycles_crewai import cycles_crew
from runcycles_demos.runaway.agent import MAX_TOKENS, MODEL, TASKS, Steps, SupportBot
from runcycles_demos.runaway.job import Job
from runcycles_demos.runaway.terms import AGENT
from runcycles_demos.runaway.watch import Watch


@contextmanager
def bot(job: Job, watch: Watch) -> Iterator[Steps]:
    """Yield the agent's steps, each of them one kickoff of a crew."""
    logging.getLogger("crewai").setLevel(logging.ERROR)  # it warns that it only guesses at tokens
    llm = LLM(
        model=MODEL,
        base_url=job.model_url,
        api_key="no-key",
        max_tokens=MAX_TOKENS,
        max_retries=0,
        interceptor=_Watching(watch),
    )
    crews = {task: _crew(task, llm) for task in TASKS}

    def ask(task: str, text: str) -> str:
        done = crews[task].kickoff(inputs={"text": text})
        assert isinstance(done, CrewOutput)  # not a stream, which nobody has asked for
        return str(done.raw)

    with cycles_crew(prices=job.prices) if job.guarded else nullcontext():
        yield SupportBot(ask, remembers=job.by_tokens).steps()


def _crew(task: str, llm: BaseLLM) -> Crew:
    agent = Agent(role=AGENT, goal=task, backstory="It works for a software company.", llm=llm)
    work = Task(description="{text}", expected_output="the text alone", agent=agent)
    return Crew(agents=[agent], tasks=[work])


class _Watching(BaseInterceptor[httpx.Request, httpx.Response]):
    """Counts the requests that CrewAI's own client of the model makes."""

    def __init__(self, watch: Watch) -> None:
        self._watch = watch

    def on_outbound(self, message: httpx.Request) -> httpx.Request:
        self._watch.enter()
        return message

    def on_inbound(self, message: httpx.Response) -> httpx.Response:
        return message

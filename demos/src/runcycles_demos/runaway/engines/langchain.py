"""The support bot as three LangChain agents; in the guarded lane, with `CyclesMiddleware`."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from langchain.agents import create_agent
from langchain_core.messages import HumanMessage
from langchain_core.outputs import ChatResult
from langchain_openai import ChatOpenAI
from pydantic import SecretStr

from runcycles_demos.runaway.agent import MAX_TOKENS, MODEL, TASKS, Steps, SupportBot
from runcycles_demos.runaway.job import Job
from runcycles_demos.runaway.terms import AGENT
from runcycles_demos.runaway.watch import Watch
from runcycles_langchain import CyclesMiddleware


@contextmanager
def bot(job: Job, watch: Watch) -> Iterator[Steps]:
    """Yield the agent's steps, each of them one run of a LangChain agent."""
    model = _watched(watch)(
        model=MODEL,
        base_url=job.model_url,
        api_key=SecretStr("no-key"),
        max_completion_tokens=MAX_TOKENS,
        max_retries=0,
    )
    middleware = [CyclesMiddleware(prices=job.prices)] if job.guarded else []
    agents = {
        task: create_agent(model, system_prompt=task, middleware=middleware, name=AGENT)
        for task in TASKS
    }

    def ask(task: str, text: str) -> str:
        done = agents[task].invoke({"messages": [HumanMessage(text)]})
        return str(done["messages"][-1].content)

    yield SupportBot(ask, remembers=job.by_tokens).steps()


def _watched(watch: Watch) -> type[ChatOpenAI]:
    """LangChain's own client of the model, which counts the requests that it makes."""

    class Watched(ChatOpenAI):
        def _generate(self, *args: Any, **kwargs: Any) -> ChatResult:
            watch.enter()
            return super()._generate(*args, **kwargs)

    return Watched

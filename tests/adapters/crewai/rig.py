"""What the tests of CrewAI share: a model that remembers what it was asked, and small crews."""

import random
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from crewai import LLM, Agent, Crew, Task
from crewai.events.stream_context import add_stream_sink, reset_stream_sinks
from crewai.events.types.llm_events import LLMCallStartedEvent

from runcycles import CyclesClient
from runcycles.adapter_suite import Watched
from runcycles.testing.model_server import ModelRequest, ModelServer, Reply, Script, ToolCall
from tests.adapters.crewai.engine import scripted

ANSWER = Reply(text="four euros", prompt_tokens=30, completion_tokens=20, cached_tokens=10)


def answering(request: ModelRequest, call: int, rng: random.Random, /) -> Reply:
    """The same answer to everything."""
    return ANSWER


def calling(*names: str, then: Reply = ANSWER) -> Script:
    """Each of these tools at once, and the answer when they have been called."""

    def script(request: ModelRequest, call: int, rng: random.Random, /) -> Reply:
        if any(message.tool_calls for message in request.messages):
            return then
        return Reply(
            tool_calls=tuple(ToolCall(name=name, arguments={"query": "x"}) for name in names)
        )

    return script


@dataclass
class Rig:
    """One model server and one authority, which both count."""

    server: ModelServer
    watched: Watched
    client: CyclesClient
    heard: list[ModelRequest] = field(default_factory=list)

    @property
    def url(self) -> str:
        return self.server.url("team")

    @property
    def requests(self) -> int:
        return self.server.meter("team").requests

    def llm(self, **settings: Any) -> LLM:
        return scripted(self.url, **settings)

    @property
    def asked(self) -> list[str]:
        return [op.action.name for op in self.watched.asked]

    def assert_settled(self) -> None:
        assert not self.watched.open
        assert len(self.watched.settled) == len(self.watched.allowed)


@contextmanager
def rigged(
    script: Script = answering, *, deny_at: int | None = None, **server: Any
) -> Iterator[Rig]:
    """A rig whose model follows the script."""
    heard: list[ModelRequest] = []

    def listening(request: ModelRequest, call: int, rng: random.Random, /) -> Reply:
        heard.append(request)
        return script(request, call, rng)

    watched = Watched(deny_at)
    with ModelServer(listening, **server) as model, CyclesClient(authority=watched) as client:
        yield Rig(model, watched, client, heard)


def agent_of(llm: Any, *tools: Any, role: str = "lead", **settings: Any) -> Agent:
    return Agent(role=role, goal="g", backstory="b", llm=llm, tools=list(tools), **settings)


def task_for(agent: Any, **settings: Any) -> Task:
    return Task(
        description="what does it cost?", expected_output="a price", agent=agent, **settings
    )


def crew_of(llm: Any, *tools: Any, **settings: Any) -> Crew:
    agent = agent_of(llm, *tools)
    return Crew(agents=[agent], tasks=[task_for(agent)], **settings)


@contextmanager
def meeting(point: threading.Barrier) -> Iterator[None]:
    """Every model call waits, after it was reserved, until as many are there as should be."""

    def wait(_: Any, event: Any) -> None:
        if isinstance(event, LLMCallStartedEvent):
            point.wait()

    token = add_stream_sink(wait)
    try:
        yield
    finally:
        reset_stream_sinks(token)


def together(*works: Callable[[], object]) -> list[BaseException]:
    """Do these in threads of their own; the errors that left them."""
    errors: list[BaseException] = []

    def run(work: Callable[[], object]) -> None:
        try:
            work()
        except Exception as error:  # noqa: BLE001 - it is what is asked for
            errors.append(error)

    threads = [threading.Thread(target=run, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
        assert not thread.is_alive()
    return errors

"""What stands between the agent's tools and the world where a framework has no guard of its own."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from runcycles import Action, DeniedError, Subject
from runcycles.clients import CyclesClient
from runcycles.ops import Denied
from runcycles_demos.authority.actions import READ, actions
from runcycles_demos.authority.agent import Tool
from runcycles_demos.authority.job import Job
from runcycles_demos.authority.script import DID_NOT_RUN


def refusal_text(tool: str, problem: object) -> str:
    """Return what the model is told in place of a result."""
    return f"The tool {tool} {DID_NOT_RUN}: {problem}"


def guarded(job: Job) -> tuple[Tool, ...]:
    """Return tools that ask first, and of which a refusal is a result."""
    return tuple(_guarded(tool, job) for tool in with_reading_decided(job))


def with_reading_decided(job: Job) -> tuple[Tool, ...]:
    """Return the tools with the one that only reads asking for a decision: it holds nothing."""
    if job.client is None:
        return job.tools
    return tuple(
        _decided(tool, job.client, job) if tool.__name__ == READ else tool for tool in job.tools
    )


def _decided(tool: Tool, client: CyclesClient, job: Job) -> Tool:
    action = actions(job.prices)[tool.__name__]
    estimate = action.estimate
    assert estimate is not None  # every tool has a price

    def answer(*args: Any, **kwargs: Any) -> str:
        decision = client.decide(
            action=Action(kind=action.kind, name=tool.__name__),
            estimate=estimate,
            subject=Subject(toolset=action.toolset),
            dimensions={"run_id": job.run_id},
        )
        if isinstance(decision, Denied):
            return refusal_text(tool.__name__, f"{decision.reason_code}: {decision.message}")
        return tool(*args, **kwargs)

    return _alike(tool, answer)


def _guarded(tool: Tool, job: Job) -> Tool:
    name, client = tool.__name__, job.client
    if client is None or name == READ:
        return tool
    action = actions(job.prices)[name]
    estimate = action.estimate
    assert estimate is not None  # every tool has a price

    def answer(*args: Any, **kwargs: Any) -> str:
        try:
            with client.guard(
                action=Action(kind=action.kind, name=name),
                estimate=estimate,
                subject=Subject(toolset=action.toolset),
                dimensions={"run_id": job.run_id},
                on_authority_down=job.on_authority_down,
            ):
                return tool(*args, **kwargs)
        except DeniedError as refusal:
            return refusal_text(name, refusal)

    return _alike(tool, answer)


def _alike(tool: Tool, answer: Callable[..., str]) -> Tool:
    return wraps(tool)(answer)

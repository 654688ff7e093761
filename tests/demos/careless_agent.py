"""An agent with a guard that does not do its part: it logs and lets pass, or it keeps silent.

`python -m tests.demos.careless_agent FAULT …` takes the options of the demo's own agent.
"""

import argparse
from collections.abc import Callable
from dataclasses import replace
from functools import wraps
from typing import Any

from runcycles import Action, Subject
from runcycles_demos.authority import lane
from runcycles_demos.authority.actions import actions
from runcycles_demos.authority.agent import Tool
from runcycles_demos.authority.engines import plain
from runcycles_demos.authority.guard import guarded
from runcycles_demos.authority.job import Job, Work
from runcycles_demos.authority.script import DID_NOT_RUN


def logging_only(job: Job) -> str:
    """Ask before every tool, take note of the answer, and run the tool whatever it is."""
    return plain.work(replace(job, client=None, tools=tuple(_noting(t, job) for t in job.tools)))


def _noting(tool: Tool, job: Job) -> Tool:
    client, action = job.client, actions()[tool.__name__]
    assert client is not None
    assert action.estimate is not None
    estimate = action.estimate

    @wraps(tool)
    def noted(*args: Any, **kwargs: Any) -> str:
        client.reserve(
            action=Action(kind=action.kind, name=tool.__name__),
            estimate=estimate,
            subject=Subject(toolset=action.toolset),
        )
        return tool(*args, **kwargs)

    return noted


def keeping_silent(job: Job) -> str:
    """Tell the model that all is well, whatever was refused."""
    return plain.work(replace(job, client=None, tools=tuple(map(_cheerful, guarded(job)))))


def _cheerful(tool: Tool) -> Callable[..., str]:
    @wraps(tool)
    def cheerful(*args: Any, **kwargs: Any) -> str:
        result = tool(*args, **kwargs)
        return "Done." if DID_NOT_RUN in result else result

    return cheerful


FAULTS: dict[str, Work] = {
    "log only": logging_only,
    "keep silent": keeping_silent,
    "unguarded": lambda job: plain.work(replace(job, client=None)),
}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("fault", choices=FAULTS)
    options, _ = parser.parse_known_args()
    lane.run(FAULTS[options.fault], "other code")


if __name__ == "__main__":
    main()

"""The agent as a process of its own: says "ready", then works whenever it is told to.

It is told what to do as one JSON object per line, and tells what happens in the same way.
"""

import argparse
import importlib
import inspect
import json
import time
from collections.abc import Sequence
from contextlib import ExitStack, closing
from functools import wraps
from hashlib import sha256
from types import ModuleType
from typing import Any

from runcycles import CyclesClient, CyclesConfig, CyclesError
from runcycles_demos.authority import agent
from runcycles_demos.authority.agent import Desk, Tool
from runcycles_demos.authority.asking import Questions
from runcycles_demos.authority.engine import ENGINES
from runcycles_demos.authority.job import Job, Work
from runcycles_demos.kit.leash import hold
from runcycles_demos.kit.overhearing import OverheardAuthority
from runcycles_demos.kit.telling import Tell, telling

# A server that is not there is asked twice, and not for as long as a program in production would.
_PATIENCE: dict[str, Any] = {"retry_max_attempts": 2, "retry_initial_delay": 0.1}


def main(arguments: Sequence[str] | None = None) -> None:
    """Be an agent of the engine that the arguments name."""
    parser = argparse.ArgumentParser(prog="python -m runcycles_demos.authority.lane")
    parser.add_argument("--engine", choices=ENGINES, required=True)
    options = parser.parse_args(arguments)
    module = importlib.import_module(ENGINES[options.engine].module)
    run(module.work, _digest(agent, module))


def run(work: Work, code: str) -> None:
    """Let this agent work, again and again, until nobody is left to tell it to."""
    tell = telling()
    told = hold()
    tell("ready", time.monotonic(), code=code)
    while True:
        _work_once(work, json.loads(told.get()), tell)


def _work_once(work: Work, order: dict[str, Any], tell: Tell) -> None:
    client = _client(order["client"], tell)
    with ExitStack() as exits:
        desk = exits.enter_context(
            closing(Desk(crm_url=order["crm_url"], smtp_port=order["smtp_port"]))
        )
        if client is not None:
            exits.enter_context(closing(client))
        job = Job(
            task=order["task"],
            run_id=order["run_id"],
            model_url=order["model_url"],
            tools=tuple(_watched(tool, tell) for tool in desk.tools()),
            client=client,
            prices=order["prices"],
            on_authority_down=order["on_authority_down"],
        )
        try:
            ended = {"by": "answer", "said": work(job)}
        except CyclesError as problem:
            # what a framework's own errors are mixed into keeps the name of ours
            ended = {"by": type(problem).__name__, "said": str(problem)}
    tell("run_ended", time.monotonic(), **ended)


def _client(settings: dict[str, Any] | None, tell: Tell) -> CyclesClient | None:
    if settings is None:
        return None
    config = CyclesConfig(**settings, **_PATIENCE)
    return CyclesClient(config, authority=OverheardAuthority(config, Questions(tell).hear))


def _watched(tool: Tool, tell: Tell) -> Tool:
    """Return a tool whose body tells that it was entered; a guard goes around this."""

    @wraps(tool)
    def counted(*args: Any, **kwargs: Any) -> str:
        tell("body_entered", time.monotonic(), tool=tool.__name__)
        return tool(*args, **kwargs)

    return counted


def _digest(*modules: ModuleType) -> str:
    """Return what tells one agent's code from another's."""
    return sha256("".join(map(inspect.getsource, modules)).encode()).hexdigest()


if __name__ == "__main__":
    main()

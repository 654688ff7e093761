"""The agent in plain Python: a loop around the chat endpoint, and around its tools a guard."""

import inspect
import json
from typing import Any

import httpx

from runcycles_demos.authority.agent import INSTRUCTIONS, MAX_TOKENS, MODEL, Tool
from runcycles_demos.authority.guard import guarded
from runcycles_demos.authority.job import Job

_TIMEOUT_S = 60.0


def work(job: Job) -> str:
    """Let the agent work until it has nothing more to ask of its tools."""
    tools = {tool.__name__: tool for tool in guarded(job)}
    offered = [_offer(tool) for tool in tools.values()]
    messages: list[dict[str, Any]] = [
        {"role": "system", "content": INSTRUCTIONS},
        {"role": "user", "content": job.task},
    ]
    with httpx.Client(base_url=job.model_url, timeout=_TIMEOUT_S, trust_env=False) as model:
        while True:
            asked = {"model": MODEL, "max_completion_tokens": MAX_TOKENS, "tools": offered}
            answer = model.post("/chat/completions", json={**asked, "messages": messages})
            message = answer.raise_for_status().json()["choices"][0]["message"]
            messages.append(message)
            if not message.get("tool_calls"):
                return str(message["content"])
            messages += [_call(tools, wanted) for wanted in message["tool_calls"]]


def _call(tools: dict[str, Tool], wanted: dict[str, Any]) -> dict[str, Any]:
    function = wanted["function"]
    result = tools[function["name"]](**json.loads(function["arguments"]))
    return {"role": "tool", "tool_call_id": wanted["id"], "content": result}


def _offer(tool: Tool) -> dict[str, Any]:
    """A tool as the model is told of it; all parameters are texts."""
    names = list(inspect.signature(tool).parameters)
    properties = {name: {"type": "string"} for name in names}
    schema = {"type": "object", "properties": properties, "required": names}
    function = {"name": tool.__name__, "description": tool.__doc__, "parameters": schema}
    return {"type": "function", "function": function}

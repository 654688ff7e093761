"""The agent of LangChain's `create_agent`, its tools guarded by `guard_tools`.

A refusal ends a run of LangChain. Here the agent is to know of it and to go on, so a middleware of
six lines makes a result of it.
"""

from collections.abc import Callable
from typing import Any

from langchain.agents import create_agent
from langchain.agents.middleware import wrap_tool_call
from langchain_core.messages import HumanMessage, ToolMessage
from langchain_core.tools import BaseTool
from langchain_core.tools import tool as as_tool
from langchain_openai import ChatOpenAI
from pydantic import SecretStr

from runcycles import DeniedError
from runcycles_demos.authority.actions import READ
from runcycles_demos.authority.agent import AGENT, INSTRUCTIONS, MAX_TOKENS, MODEL
from runcycles_demos.authority.guard import refusal_text, with_reading_decided
from runcycles_demos.authority.job import Job
from runcycles_langchain import guard_tools

_STEPS = 2_000  # of the graph, two for each tool call; the demo's longest run takes less


def work(job: Job) -> str:
    """Let the agent work until it has nothing more to ask of its tools."""
    model = ChatOpenAI(
        model=MODEL,
        base_url=job.model_url,
        api_key=SecretStr("no-key"),
        max_completion_tokens=MAX_TOKENS,
        max_retries=0,
    )
    agent: Any = create_agent(
        model,
        _tools(job),
        system_prompt=INSTRUCTIONS,
        middleware=[tell_refusals],
        name=AGENT,
    )
    config = {"metadata": {"run_id": job.run_id}, "recursion_limit": _STEPS}
    done = agent.invoke({"messages": [HumanMessage(job.task)]}, config)
    return str(done["messages"][-1].text)


def _tools(job: Job) -> list[BaseTool]:
    tools = [as_tool(tool) for tool in with_reading_decided(job)]
    if job.client is None:
        return tools
    asking = [tool for tool in tools if tool.name != READ]
    reading = [tool for tool in tools if tool.name == READ]
    return [*reading, *guard_tools(asking, job.client, **job.options)]


@wrap_tool_call
def tell_refusals(request: Any, handler: Callable[[Any], Any]) -> Any:
    """Tell the model why a tool did not run."""
    try:
        return handler(request)
    except DeniedError as refusal:
        call = request.tool_call
        text = refusal_text(call["name"], refusal)
        return ToolMessage(text, tool_call_id=call["id"], name=call["name"], status="error")

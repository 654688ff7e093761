"""One model call and one tool call of each framework, as a program makes them, guarded or not.

Everything is made once, as programs do; what is measured is the call. Where `calls` is None,
nobody is asked.
"""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from contextvars import copy_context
from typing import Any

import httpx
import openai
from agents import Agent, FunctionTool, OpenAIProvider, RunConfig, Runner, function_tool
from agents.tool_context import ToolContext
from crewai import LLM
from crewai.tools import tool as crewai_tool
from langchain_core.tools import tool as langchain_tool
from langchain_openai import ChatOpenAI
from pydantic import SecretStr

from runcycles.adapter_suite import MODEL, Toolbox
from runcycles.calls import CallGuards
from runcycles_crewai import cycles_crew, guard_tool
from runcycles_langchain import guard_model, guard_tools
from runcycles_openai_agents import guard

Calls = dict[str, Callable[[], object]]
"""By kind: "model" and "tool"."""
QUESTION = "What does it cost?"


@contextmanager
def langchain(url: str, calls: CallGuards | None) -> Iterator[Calls]:
    """`guard_model` and `guard_tools`."""
    with httpx.Client(verify=False) as connections:
        model: Any = ChatOpenAI(
            model=MODEL,
            base_url=url,
            api_key=SecretStr("none"),
            max_retries=0,
            http_client=connections,
        )
        look_up: Any = langchain_tool(Toolbox().look_up)
        if calls is not None:
            model = guard_model(model, calls)
            [look_up] = guard_tools([look_up], calls)
        yield {
            "model": lambda: model.invoke(QUESTION),
            "tool": lambda: look_up.invoke({"query": "price"}),
        }


@contextmanager
def openai_agents(url: str, calls: CallGuards | None) -> Iterator[Calls]:
    """`guard(agent)`: a run of one model call, and a tool as a run invokes it."""
    connections = openai.AsyncOpenAI(base_url=url, api_key="none", max_retries=0)
    provider = OpenAIProvider(openai_client=connections)
    agent: Agent[Any] = Agent(name="lead", model=MODEL, tools=[function_tool(Toolbox().look_up)])
    config = RunConfig(model_provider=provider, tracing_disabled=True)
    if calls is not None:
        guard(agent, calls, provider=provider)
    [look_up] = agent.tools
    assert isinstance(look_up, FunctionTool)
    asked = '{"query": "price"}'
    context = ToolContext(None, tool_name="look_up", tool_call_id="1", tool_arguments=asked)
    with closing(asyncio.new_event_loop()) as loop:
        yield {
            "model": lambda: loop.run_until_complete(
                Runner.run(agent, QUESTION, run_config=config)
            ),
            "tool": lambda: loop.run_until_complete(look_up.on_invoke_tool(context, asked)),
        }
        loop.run_until_complete(connections.close())


@contextmanager
def crewai(url: str, calls: CallGuards | None) -> Iterator[Calls]:
    """`cycles_crew` around an LLM, and `guard_tool`; the block has a context of its own."""
    llm = LLM(model=MODEL, base_url=url, api_key="none", max_retries=0)
    look_up: Any = crewai_tool(Toolbox().look_up)
    block: AbstractContextManager[Any] = nullcontext()
    if calls is not None:
        block, look_up = cycles_crew(calls), guard_tool(look_up, calls)
    inside = copy_context()
    inside.run(block.__enter__)
    yield {
        "model": lambda: inside.run(llm.call, QUESTION),
        "tool": lambda: inside.run(look_up.run, query="price"),
    }
    inside.run(block.__exit__, None, None, None)


KINDS = ("model", "tool")
FRAMEWORKS = {"langchain": langchain, "openai agents": openai_agents, "crewai": crewai}

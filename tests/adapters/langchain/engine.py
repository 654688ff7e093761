"""How LangChain runs the suite's team: with guarded models and tools, middleware, or callbacks."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import Any

import httpx
from langchain.agents import create_agent
from langchain.tools import ToolRuntime
from langchain_core.messages import ToolMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.types import Command

from runcycles.adapter_suite import HELPER, MODEL, Team, Toolbox
from runcycles.default_client import AnyClient
from runcycles_langchain import (
    CyclesCallbackHandler,
    CyclesMiddleware,
    guard_model,
    guard_tools,
)

VERSION = f"langchain {version('langchain')}"
TEAM = Team(passes_on=("ask_helper", "transfer_to_helper"))
CONNECTIONS: Any = {"verify": False, "headers": {"Connection": "close"}}
"""Nothing is encrypted on a loopback, and reading certificates takes time; none is left open."""
QUESTIONS = {
    ("tools", "sync"): 4,  # the lead, its two tools, the lead again
    ("tools", "async"): 4,
    ("sub_agent", "sync"): 9,  # … the helper as a tool, itself, its tool, itself again, the lead
    ("sub_agent", "async"): 9,
    ("handoff", "sync"): 8,  # … passing on, the helper, its tool, the helper again
    ("handoff", "async"): 8,
    ("stream", "sync"): 4,
    ("stream", "async"): 4,
}


def scripted(url: str, **settings: Any) -> ChatOpenAI:
    """LangChain's own client, talking to a model server."""
    own: dict[str, Any] = {
        "model": MODEL,
        "base_url": url,
        "api_key": "no key",
        "max_retries": 0,
        "http_client": httpx.Client(**CONNECTIONS),
        "http_async_client": httpx.AsyncClient(**CONNECTIONS),
    }
    return ChatOpenAI(**{**own, **settings})


@asynccontextmanager
async def scripted_async(url: str, **settings: Any) -> AsyncIterator[ChatOpenAI]:
    """The same, with connections that do not outlive their event loop."""
    async with httpx.AsyncClient(**CONNECTIONS) as connections:
        yield scripted(url, http_async_client=connections, **settings)


class Guarded:
    """`guard_model` and `guard_tools`."""

    name = "guard_model, guard_tools"

    @property
    def version(self) -> str:
        return f"{VERSION}, {self.name}"

    def model(self, model: Any, client: AnyClient) -> Any:
        return guard_model(model, client)

    def tools(self, tools: list[Any], client: AnyClient) -> list[Any]:
        return list(guard_tools(tools, client))

    def middleware(self, client: AnyClient) -> list[Any]:
        return []

    def config(self, client: AnyClient) -> dict[str, Any]:
        return {}

    def run(
        self, scenario: str, mode: str, *, url: str, client: AnyClient, toolbox: Toolbox
    ) -> str:
        if mode == "async":
            return asyncio.run(self._run_async(scenario, url, client, toolbox))
        agent = self._team(scenario, scripted(url), client, toolbox)
        asked, config = {"messages": [("user", "What does it cost?")]}, self.config(client)
        if scenario == "stream":
            for _ in agent.stream(asked, config, stream_mode="messages"):
                pass
            return "streamed"
        return str(agent.invoke(asked, config)["messages"][-1].content)

    async def _run_async(self, scenario: str, url: str, client: AnyClient, toolbox: Toolbox) -> str:
        async with scripted_async(url) as model:
            agent = self._team(scenario, model, client, toolbox)
            asked, config = {"messages": [("user", "What does it cost?")]}, self.config(client)
            if scenario == "stream":
                async for _ in agent.astream(asked, config, stream_mode="messages"):
                    pass
                return "streamed"
            return str((await agent.ainvoke(asked, config))["messages"][-1].content)

    def _team(self, scenario: str, model: Any, client: AnyClient, toolbox: Toolbox) -> Any:
        def agent(name: str, prompt: str, tools: list[Any]) -> Any:
            return create_agent(
                self.model(model, client),
                self.tools(tools, client),
                system_prompt=prompt,
                middleware=self.middleware(client),
                name=name,
            )

        tools: list[Any] = [tool(toolbox.look_up), tool(toolbox.take_note)]
        if scenario == "sub_agent":
            helper = agent(HELPER, f"You are the {HELPER}.", tools[:1])
            tools.append(asking(helper))
        if scenario == "handoff":
            helper = agent(HELPER, f"You are the {HELPER}.", tools[:1])
            return passing(agent("lead", "You lead.", [*tools, transfer_to_helper]), helper)
        return agent("lead", "You lead.", tools)


@tool
def transfer_to_helper(runtime: ToolRuntime) -> Command[Any]:
    """Pass the conversation on to the helper."""
    told = ToolMessage("passed on", tool_call_id=runtime.tool_call_id)
    messages = [*runtime.state["messages"], told]
    return Command(goto=HELPER, graph=Command.PARENT, update={"messages": messages})


def passing(lead: Any, helper: Any) -> Any:
    """LangGraph's way of passing on: both agents are nodes of one graph."""
    graph = StateGraph(MessagesState)
    graph.add_node("lead", lead, destinations=(HELPER,))
    graph.add_node(HELPER, helper)
    graph.add_edge(START, "lead")
    return graph.compile()


def asking(helper: Any) -> Any:
    """The helper as a tool, sync and async."""

    @tool
    def ask_helper(input: str) -> str:
        """Ask the helper."""
        return str(helper.invoke({"messages": [("user", input)]})["messages"][-1].content)

    async def ask(input: str) -> str:
        answer = await helper.ainvoke({"messages": [("user", input)]})
        return str(answer["messages"][-1].content)

    ask_helper.coroutine = ask
    return ask_helper


class Middleware(Guarded):
    """`CyclesMiddleware`; models and tools are not guarded themselves."""

    name = "CyclesMiddleware"

    def model(self, model: Any, client: AnyClient) -> Any:
        return model

    def tools(self, tools: list[Any], client: AnyClient) -> list[Any]:
        return tools

    def middleware(self, client: AnyClient) -> list[Any]:
        return [CyclesMiddleware(client)]


class Callbacks(Middleware):
    """`CyclesCallbackHandler` on the outermost run."""

    name = "CyclesCallbackHandler"

    def middleware(self, client: AnyClient) -> list[Any]:
        return []

    def config(self, client: AnyClient) -> dict[str, Any]:
        return {"callbacks": [CyclesCallbackHandler(client)]}


class Everything(Guarded):
    """All of them at once."""

    name = "everything"

    def middleware(self, client: AnyClient) -> list[Any]:
        return [CyclesMiddleware(client)]

    def config(self, client: AnyClient) -> dict[str, Any]:
        return {"callbacks": [CyclesCallbackHandler(client)]}


class Unguarded(Middleware):
    """The same team without us, to see that the suite's check can fail."""

    name = "unguarded"

    def middleware(self, client: AnyClient) -> list[Any]:
        return []


class OnlyModels(Guarded):
    """A team whose tools nobody guards."""

    name = "guard_model"

    def tools(self, tools: list[Any], client: AnyClient) -> list[Any]:
        return tools


class OnlyTools(Guarded):
    """A team whose models nobody guards."""

    name = "guard_tools"

    def model(self, model: Any, client: AnyClient) -> Any:
        return model

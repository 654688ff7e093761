"""A refusal ends the run: nothing that retries, falls back or handles errors makes a call of it."""

import copy
import pickle
import subprocess
import sys
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain.agents.middleware import (
    ModelFallbackMiddleware,
    ModelRetryMiddleware,
    SummarizationMiddleware,
    ToolRetryMiddleware,
)
from langchain_core.tools import tool
from langgraph.errors import GraphBubbleUp
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode
from langgraph.types import RetryPolicy

from runcycles import (
    ActionDeniedError,
    BudgetExceededError,
    ConfigurationError,
    CyclesClient,
    CyclesConfig,
    CyclesError,
    CyclesTransportError,
    OveragePolicy,
    SettlementRefusedError,
    SpendNotRecordedError,
    UnauthorizedError,
    UnknownPriceError,
    cycles,
    usd,
)
from runcycles.adapter_suite import Watched
from runcycles.errors import Problem
from runcycles.testing.model_server import Reply
from runcycles.tool_actions import ToolAction
from runcycles_langchain import (
    CyclesCallbackHandler,
    CyclesMiddleware,
    RunStopped,
    guard_model,
    guard_tools,
)
from tests.adapters.langchain.stage import NOTHING, ROOT, Stage, ask, calls, stage
from tests.support.served import served

PROBLEM = Problem(status=409, error_code="BUDGET_EXCEEDED", message="no", request_id="r1")
OURS: list[CyclesError] = [
    BudgetExceededError(PROBLEM),
    ActionDeniedError(PROBLEM),
    CyclesTransportError("down", attempts=3),
    UnknownPriceError("llama"),
    ConfigurationError("wrong"),
    SettlementRefusedError(PROBLEM, reservation_id="x", actual=5, result="paid for"),
    SpendNotRecordedError("later", reservation_id="x", actual=5, result="paid for"),
]
COSTLY = ToolAction(estimate=usd(20))


def act(to: str) -> str:
    """Act."""
    return f"acted on {to}"


# ── what it is ───────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("error", OURS, ids=lambda error: type(error).__name__)
def test_every_error_of_ours_keeps_its_class_and_fields_and_stops_a_graph(
    error: CyclesError,
) -> None:
    same: Any = RunStopped.of(error)
    assert isinstance(same, type(error))
    assert issubclass(type(same), RunStopped)
    assert issubclass(RunStopped, GraphBubbleUp)
    assert vars(same)["refused"] is error
    assert type(same).__name__ == type(error).__name__
    assert str(same) == str(error)
    assert {name: getattr(same, name) for name in vars(error)} == vars(error)


@pytest.mark.parametrize("error", OURS, ids=lambda error: type(error).__name__)
def test_it_survives_being_copied_and_sent_to_another_process(error: CyclesError) -> None:
    for again in (
        copy.copy(RunStopped.of(error)),
        pickle.loads(pickle.dumps(RunStopped.of(error))),
    ):
        assert type(again) is type(RunStopped.of(error))
        assert str(again) == str(error)


# ── what cannot turn it into a call ──────────────────────────────────────────────────────────


def refused_by(it: Stage, *middleware: Any, tools: Any = (), **options: Any) -> Any:
    """An agent whose model is guarded, behind this middleware."""
    model = guard_model(it.model(), it.client, **options)
    return create_agent(model, tools, middleware=middleware)


def test_retries_and_fallbacks_around_a_model_let_a_refusal_through() -> None:
    with stage(budget=NOTHING) as it:
        agent = refused_by(
            it,
            ModelRetryMiddleware(max_retries=3, initial_delay=0),
            ModelFallbackMiddleware(it.model()),
        )
        with pytest.raises(BudgetExceededError):
            ask(agent)
        assert it.requests == 0


def test_so_they_do_around_our_middleware_and_our_callbacks() -> None:
    with stage(budget=NOTHING) as it:
        outer = [
            ModelRetryMiddleware(max_retries=3, initial_delay=0),
            ModelFallbackMiddleware(it.model()),
        ]
        with pytest.raises(BudgetExceededError):
            ask(create_agent(it.model(), middleware=[*outer, CyclesMiddleware(it.client)]))
        with pytest.raises(BudgetExceededError):
            ask(
                create_agent(it.model(), middleware=outer),
                callbacks=[CyclesCallbackHandler(it.client)],
            )
        assert it.requests == 0


@pytest.mark.parametrize("by_middleware", [False, True])
def test_retries_around_a_tool_let_a_refusal_through(by_middleware: bool) -> None:
    with stage(calls("act", to="it"), "done") as it:
        retry = ToolRetryMiddleware(max_retries=3, initial_delay=0)
        own = CyclesMiddleware(it.client, unmapped=COSTLY)
        tools: Any = [act] if by_middleware else guard_tools([act], it.client, unmapped=COSTLY)
        agent = refused_by(it, retry, *([own] if by_middleware else []), tools=tools)
        with pytest.raises(BudgetExceededError):
            ask(agent)
        assert (it.requests, len(it.of("act"))) == (1, 0)


def graph(it: Stage, tools: list[Any]) -> Any:
    """A graph made by hand, which handles every error of its tools."""
    model = guard_model(it.model(), it.client).bind_tools(tools)
    builder = StateGraph(MessagesState)
    builder.add_node(
        "model",
        lambda state: {"messages": [model.invoke(state["messages"])]},
        retry_policy=RetryPolicy(max_attempts=3, retry_on=Exception),
    )
    builder.add_node("tools", ToolNode(tools, handle_tool_errors=True))
    builder.add_edge(START, "model")
    builder.add_conditional_edges(
        "model", lambda state: "tools" if state["messages"][-1].tool_calls else END
    )
    builder.add_edge("tools", "model")
    return builder.compile()


def test_a_node_that_handles_all_errors_of_tools_does_not_handle_a_refusal() -> None:
    with stage(calls("act", to="it"), "done") as it:
        agent = graph(it, guard_tools([act], it.client, unmapped=COSTLY))
        with pytest.raises(BudgetExceededError):
            ask(agent)
        assert it.requests == 1


def test_a_retry_policy_of_a_node_does_not_try_again_after_a_refusal() -> None:
    watched = Watched(deny_at=1)
    with stage(calls("act", to="it"), "done") as it:
        it.client = CyclesClient(authority=watched)
        with pytest.raises(BudgetExceededError):
            ask(graph(it, guard_tools([act], it.client)))
        assert (len(watched.asked), it.requests) == (1, 0)


def test_a_refusal_inside_a_tool_ends_the_run_too() -> None:
    with stage(calls("spend", to="it"), "done") as it:

        @cycles(estimate=usd(20), action_kind="api.call", action_name="costly", client=it.client)
        def spend(to: str) -> str:
            """Spend."""
            return to

        agent = refused_by(it, tools=guard_tools([tool(spend)], it.client))
        with pytest.raises(BudgetExceededError) as caught:
            ask(agent)
        assert isinstance(caught.value, RunStopped)
        assert it.requests == 1


def test_the_guarded_model_of_a_summarizer_asks_before_each_of_its_attempts() -> None:
    watched = Watched(deny_at=1)
    with stage("done") as it:
        guarded = guard_model(it.model(), CyclesClient(authority=watched))
        summarizer = SummarizationMiddleware(guarded, trigger=("messages", 2), keep=("messages", 1))
        agent = create_agent(guarded, middleware=[summarizer])
        talk = {"messages": [("user", "a"), ("assistant", "b"), ("user", "c")]}
        ask(agent, talk)
        summary, again, lead = watched.asked  # the summarizer tries again, which is a new question
        assert watched.denied is summary
        assert (watched.allowed, it.requests) == ([again, lead], 2)


# ── an authority that does not answer ────────────────────────────────────────────────────────


def gone(url: str = "http://127.0.0.1:9") -> CyclesClient:
    config = CyclesConfig(base_url=url, api_key="cyc_wrong", tenant="acme", retry_enabled=False)
    return CyclesClient(config)


def test_where_the_authority_is_gone_nothing_runs() -> None:
    with stage(calls("act", to="it"), "done") as it:
        agent = create_agent(guard_model(it.model(), gone()), guard_tools([act], gone()))
        with pytest.raises(CyclesTransportError) as caught:
            ask(agent)
        assert isinstance(caught.value, RunStopped)
        assert it.requests == 0


def test_where_the_authority_is_gone_everything_runs_if_that_is_wanted() -> None:
    with stage(calls("act", to="it"), "done") as it:
        down: Any = {"on_authority_down": "run_and_record"}
        model, tools = guard_model(it.model(), gone(), **down), guard_tools([act], gone(), **down)
        assert ask(create_agent(model, tools))[-1].text == "done"


def test_with_a_key_that_nobody_knows_nothing_runs() -> None:
    with stage() as it, served() as server:
        client = gone(server.base_url)
        with pytest.raises(UnauthorizedError) as caught:
            ask(create_agent(guard_model(it.model(), client)))
        assert isinstance(caught.value, RunStopped)
        assert it.requests == 0


def test_an_answer_that_was_paid_for_is_kept_where_its_settlement_is_refused() -> None:
    with stage(Reply(text="dear", prompt_tokens=9_000_000, completion_tokens=1)) as it:
        model = guard_model(it.model(max_tokens=16), it.client)
        it.authority.remove_budget(ROOT)
        it.authority.add_budget(ROOT, usd(10), overage_policy=OveragePolicy.REJECT)
        with pytest.raises(SettlementRefusedError) as caught:
            model.invoke("hi")
        assert isinstance(caught.value, RunStopped)
        assert caught.value.result.generations[0].text == "dear"


# ── without langgraph, without langchain ─────────────────────────────────────────────────────

ALONE = """
import sys
sys.modules.update(dict.fromkeys(("langgraph", "langgraph.errors", "langchain"), None))
from langchain_core.language_models import FakeListChatModel
from runcycles import BudgetExceededError, ConfigurationError, CyclesClient, tokens, Unit
from runcycles.testing import InMemoryAuthority
from runcycles_langchain import (
    CyclesCallbackHandler,
    CyclesMiddleware,
    RunStopped,
    guard_model,
    guard_tools,
)

client = CyclesClient(authority=InMemoryAuthority(budgets={"tenant:acme": tokens(1)}))
try:
    guard_model(FakeListChatModel(responses=["hi"]), client, unit=Unit.TOKENS).invoke("hi")
except BudgetExceededError as error:
    print("refused", isinstance(error, RunStopped))
try:
    CyclesMiddleware(client)
except ConfigurationError as error:
    print(error)
"""


def test_langchain_core_alone_is_enough_for_models_and_tools() -> None:
    told = subprocess.run(
        [sys.executable, "-c", ALONE], check=True, capture_output=True, text=True, timeout=60
    ).stdout
    assert told.splitlines() == [
        "refused True",
        "needs langchain: pip install 'runcycles-langchain[agents]'",
    ]

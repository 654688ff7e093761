"""What is enforced, what is only seen, and what nobody can see: the rows of the README's table."""

import threading
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain.agents.middleware import AgentMiddleware, SummarizationMiddleware
from langchain_core.runnables import RunnableLambda

from runcycles import BudgetExceededError, usd
from runcycles.adapter_suite import MODEL
from runcycles.testing.model_server import Reply
from runcycles_langchain import CyclesCallbackHandler, CyclesMiddleware, guard_model
from tests.adapters.langchain.engine import asking
from tests.adapters.langchain.fakes import Fake
from tests.adapters.langchain.stage import NOTHING, Stage, ask, calls, stage, was_released

TALK = {"messages": [("user", "a"), ("assistant", "b"), ("user", "c")]}


def watched_by(it: Stage) -> Any:
    return {"callbacks": [CyclesCallbackHandler(it.client)]}


# ── attempts ─────────────────────────────────────────────────────────────────────────────────


def test_each_attempt_of_langchains_own_retries_is_asked_for() -> None:
    with stage(faults=["500@1"]) as it:
        guarded = guard_model(it.model(), it.client)
        guarded.with_retry(wait_exponential_jitter=False).invoke("hi")
        failed, made = it.reservations
        assert (was_released(failed), was_released(made), it.requests) == (True, False, 2)
    with stage(faults=["500@1"]) as it:
        it.model().with_retry(wait_exponential_jitter=False).invoke("hi", watched_by(it))
        failed, made = it.reservations
        assert (was_released(failed), was_released(made), it.requests) == (True, False, 2)


def test_attempts_of_the_providers_client_below_cannot_be_seen() -> None:
    with stage(faults=["500@1"]) as it:
        guard_model(it.model(max_retries=1), it.client).invoke("hi")
        assert (it.requests, len(it.reservations)) == (2, 1)


def test_a_fallback_is_refused_only_where_it_asks() -> None:
    with stage(budget=NOTHING) as it:
        guarded = guard_model(it.model(), it.client)
        with pytest.raises(BudgetExceededError):
            guarded.with_fallbacks([guard_model(it.model(), it.client)]).invoke("hi")
        assert it.requests == 0
        guarded.with_fallbacks([it.model()]).invoke("hi")
        assert it.requests == 1
        with pytest.raises(BudgetExceededError):
            it.model().with_fallbacks([it.model()]).invoke("hi", watched_by(it))
        assert it.requests == 1


# ── places ───────────────────────────────────────────────────────────────────────────────────


def in_a_thread(model: Any) -> Any:
    """A step that asks the model in a thread of its own, which knows nothing of the run."""
    failed: list[Exception] = []

    def call() -> None:
        try:
            model.invoke("hi")
        except BudgetExceededError as refusal:
            failed.append(refusal)

    def step(_: Any) -> list[Exception]:
        thread = threading.Thread(target=call)
        thread.start()
        thread.join(timeout=5)
        return failed

    return RunnableLambda(step)


def test_in_a_raw_thread_a_guarded_model_asks_and_callbacks_see_nothing() -> None:
    with stage(budget=NOTHING) as it:
        assert in_a_thread(guard_model(it.model(), it.client)).invoke("hi")
        assert it.requests == 0
        assert not in_a_thread(it.model()).invoke("hi", watched_by(it))
        assert (it.requests, it.reservations) == (1, [])


async def test_a_sync_call_on_an_event_loop_is_refused_like_any_other() -> None:
    with stage(budget=NOTHING) as it:
        with pytest.raises(BudgetExceededError):
            guard_model(it.model(), it.client).invoke("hi")
        with pytest.raises(BudgetExceededError):
            it.model().invoke("hi", watched_by(it))
        assert it.requests == 0


def test_the_model_of_a_summarizer_is_seen_by_callbacks_but_not_by_middleware() -> None:
    def summarizing(it: Stage, *middleware: Any) -> Any:
        summarizer = SummarizationMiddleware(
            it.model(), trigger=("messages", 2), keep=("messages", 1)
        )
        return create_agent(it.model(), middleware=[summarizer, *middleware])

    with stage("done") as it:
        ask(summarizing(it, CyclesMiddleware(it.client)), TALK)
        assert (it.requests, len(it.reservations)) == (2, 1)
    with stage("done") as it:
        ask(summarizing(it), TALK, **watched_by(it))
        assert (it.requests, len(it.reservations)) == (2, 2)


def test_an_agent_behind_a_tool_is_seen_by_callbacks_but_needs_middleware_of_its_own() -> None:
    def team(it: Stage, *middleware: Any) -> Any:
        helper = create_agent(it.model())
        return create_agent(it.model(), [asking(helper)], middleware=middleware)

    replies = (calls("ask_helper", input="x"), "helped", "done")
    with stage(*replies) as it:
        ask(team(it, CyclesMiddleware(it.client)))
        assert (it.requests, len(it.of(MODEL))) == (3, 2)
    with stage(*replies) as it:
        ask(team(it), **watched_by(it))
        assert (it.requests, len(it.of(MODEL))) == (3, 3)


class Swapping(AgentMiddleware):
    """Middleware that puts a model of its own in place."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def wrap_model_call(self, request: Any, handler: Any) -> Any:
        return handler(request.override(model=self.model))


def test_middleware_guards_the_model_in_place_where_it_comes_last() -> None:
    with stage(budget=NOTHING) as it:
        ours = CyclesMiddleware(it.client)
        with pytest.raises(BudgetExceededError):
            ask(create_agent(it.model(), middleware=[Swapping(it.model()), ours]))
        assert it.requests == 0
        ask(create_agent(it.model(), middleware=[ours, Swapping(it.model())]))
        assert it.requests == 1


# ── things ───────────────────────────────────────────────────────────────────────────────────


def test_a_tool_that_the_provider_runs_is_part_of_its_models_call() -> None:
    with stage() as it:
        made: list[Any] = []
        hosted = {"type": "web_search"}
        guard_model(Fake(calls=made), it.client).bind(tools=[hosted]).invoke("hi")
        assert made == [{"tools": [hosted]}]
        assert [call.action.kind for call in it.reservations] == ["llm.completion"]


def test_what_the_provider_remembers_is_charged_beyond_the_estimate() -> None:
    with stage(Reply(text="hello", prompt_tokens=50_000, completion_tokens=5)) as it:
        model = guard_model(it.model(max_tokens=16), it.client)
        model.invoke("and then?")  # it counts more than was sent
        call = it.model_call()
        assert call.charged is not None
        assert call.charged > call.estimate.amount


def test_a_tool_that_the_agent_does_not_have_runs_nowhere() -> None:
    with stage(calls("no_such_tool"), "done") as it:
        agent = create_agent(it.model(), [asking(None)], middleware=[CyclesMiddleware(it.client)])
        messages = ask(agent)
        assert "not a valid tool" in messages[2].content
        assert it.of("no_such_tool") == []


def test_a_graph_made_by_hand_asks_through_its_guarded_model() -> None:
    with stage(budget=usd("0.00000001")) as it:
        chain = RunnableLambda(lambda text: text) | guard_model(it.model(), it.client)
        with pytest.raises(BudgetExceededError):
            chain.invoke("hi")
        assert it.requests == 0

"""What a block takes hold of, and gives back: hooks, contexts, threads and other blocks."""

import asyncio
import contextvars
import threading
from typing import Any

import pytest
from crewai import Crew
from crewai.hooks.dispatch import (
    HookAborted,
    InterceptionPoint,
    get_hooks,
    get_scoped_hooks,
    scoped_hooks,
)

from runcycles.adapter_suite import MODEL
from runcycles.errors import BudgetExceededError, CyclesError
from runcycles_crewai import CrewGuard, RunStopped, cycles_crew
from tests.adapters.crewai.rig import Rig, agent_of, crew_of, meeting, rigged, task_for, together
from tests.adapters.crewai.test_crews import PRICE


def hooks() -> dict[InterceptionPoint, tuple[Any, Any]]:
    return {point: (get_hooks(point), get_scoped_hooks(point)) for point in InterceptionPoint}


@pytest.mark.parametrize("deny_at", [None, 1])
def test_leaving_a_block_gives_crewai_its_hooks_back(deny_at: int | None) -> None:
    mine = {InterceptionPoint.PRE_TOOL_CALL: [lambda _: None]}
    with rigged(deny_at=deny_at) as rig, scoped_hooks(mine):
        before = hooks()
        try:
            with cycles_crew(rig.client):
                assert hooks() != before
                rig.llm().call("hello")
        except BudgetExceededError:
            assert deny_at
        assert hooks() == before
        requests = rig.requests
        rig.llm().call("hello")
        assert (rig.requests, len(rig.watched.asked)) == (requests + 1, 1)


def test_hooks_of_the_user_run_as_well() -> None:
    seen: list[Any] = []
    with rigged() as rig, scoped_hooks({InterceptionPoint.PRE_MODEL_CALL: [seen.append]}):
        with cycles_crew(rig.client):
            crew_of(rig.llm()).kickoff()
        assert len(seen) == 1


def test_a_call_that_another_hook_forbids_costs_nothing() -> None:
    def forbid(context: Any) -> None:
        raise HookAborted("not today")

    with rigged() as rig, scoped_hooks({InterceptionPoint.PRE_MODEL_CALL: [forbid]}):
        with cycles_crew(rig.client), pytest.raises(HookAborted, match="not today"):
            rig.llm().call("hello")
        assert (rig.requests, rig.watched.spent) == (0, 0)
        rig.assert_settled()


def test_hooks_that_would_hide_ours_stop_the_call() -> None:
    with rigged() as rig, cycles_crew(rig.client), scoped_hooks({}):
        with pytest.raises(RunStopped, match="hides its hooks"):
            rig.llm().call("hello")
        assert rig.requests == 0


def test_the_innermost_block_asks() -> None:
    with rigged() as outer, rigged() as inner:
        with cycles_crew(outer.client):
            with cycles_crew(inner.client):
                crew_of(outer.llm()).kickoff()
            crew_of(outer.llm()).kickoff()
        assert (outer.asked, inner.asked) == ([MODEL], [MODEL])


def test_a_block_is_entered_once() -> None:
    with rigged() as rig:
        block = cycles_crew(rig.client)
        assert isinstance(block, CrewGuard)
        with block, pytest.raises(RuntimeError, match="entered once"):
            block.__enter__()
        with pytest.raises(RuntimeError, match="entered once"), block:
            pass


def test_two_crews_at_once_never_charge_each_other() -> None:
    """They meet in every call, so that both blocks are open all the time, until one is refused."""
    with rigged() as rich, rigged(deny_at=3) as poor:
        both = threading.Barrier(2, timeout=20)

        def run(rig: Rig) -> None:
            with cycles_crew(rig.client), meeting(both):
                for _ in range(2):
                    crew_of(rig.llm()).kickoff()
            with cycles_crew(rig.client):
                crew_of(rig.llm()).kickoff()

        errors = together(lambda: run(rich), lambda: run(poor))
        assert [type(error).__name__ for error in errors] == ["BudgetExceededError"]
        assert (rich.asked, poor.asked) == ([MODEL] * 3, [MODEL] * 3)
        assert (rich.requests, poor.requests) == (3, 2)
        assert (rich.watched.spent, poor.watched.spent) == (3 * PRICE, 2 * PRICE)
        for rig in (rich, poor):
            rig.assert_settled()


def test_two_tasks_of_one_event_loop_never_charge_each_other() -> None:
    async def run(rig: Rig, times: int) -> None:
        with cycles_crew(rig.client):
            for _ in range(times):
                await crew_of(rig.llm()).akickoff()

    async def both(first: Rig, second: Rig) -> None:
        await asyncio.gather(run(first, 2), run(second, 3))

    with rigged() as first, rigged() as second:
        asyncio.run(both(first, second))
        assert (first.asked, second.asked) == ([MODEL] * 2, [MODEL] * 3)
        assert (first.requests, second.requests) == (2, 3)


def test_parallel_tasks_of_one_crew_are_charged_one_by_one() -> None:
    with rigged() as rig:
        with cycles_crew(rig.client):
            agents = [agent_of(rig.llm(), role=f"buyer-{number}") for number in range(3)]
            tasks = [task_for(agent, async_execution=True) for agent in agents[:2]]
            Crew(agents=list(agents), tasks=[*tasks, task_for(agents[2])]).kickoff()
        spenders = sorted(str(op.subject.agent) for op in rig.watched.allowed)
        assert spenders == ["buyer-0", "buyer-1", "buyer-2"]
        assert rig.watched.spent == 3 * PRICE
        rig.assert_settled()


def test_what_goes_on_behind_a_block_that_was_left_is_refused() -> None:
    gone = threading.Event()
    outcome: list[BaseException] = []

    with rigged() as rig:

        def later() -> None:
            gone.wait(timeout=20)
            try:
                rig.llm().call("hello")
            except CyclesError as error:
                outcome.append(error)

        with cycles_crew(rig.client):
            context = contextvars.copy_context()
            thread = threading.Thread(target=context.run, args=(later,))
            thread.start()
        gone.set()
        thread.join(timeout=20)
        assert "was left" in str(outcome[0])
        assert (rig.requests, rig.asked) == (0, [])

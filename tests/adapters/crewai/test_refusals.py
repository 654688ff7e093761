import pickle
from collections.abc import Callable
from typing import Any

import pytest
from crewai.hooks.dispatch import HookAborted

from runcycles import errors
from runcycles.errors import (
    BudgetExceededError,
    CyclesError,
    CyclesProtocolError,
    CyclesTransportError,
    Problem,
    SettlementRefusedError,
    SpendNotRecordedError,
    UnknownPriceError,
)
from runcycles.types import DenyDetail
from runcycles_crewai import RunStopped
from runcycles_crewai.refusals import failing_closed, stopped

PROBLEM = Problem(
    status=409,
    error_code="BUDGET_EXCEEDED",
    reason_code="BUDGET_EXCEEDED",
    message="too little",
    details={"requested": 7},
    deny_detail=DenyDetail(reason_code="BUDGET_EXCEEDED", blocked_by_scope="tenant:acme"),
)


def made(kind: type[CyclesError]) -> CyclesError:
    made_of: dict[type[CyclesError], Callable[[], CyclesError]] = {
        SettlementRefusedError: lambda: SettlementRefusedError(
            PROBLEM, reservation_id="r", actual=1
        ),
        SpendNotRecordedError: lambda: SpendNotRecordedError("m", reservation_id="r", actual=1),
    }
    if kind in made_of:
        return made_of[kind]()
    return kind(PROBLEM) if issubclass(kind, CyclesProtocolError) else kind("m")


ALL = [
    each
    for each in vars(errors).values()
    if isinstance(each, type) and issubclass(each, CyclesError)
]


@pytest.mark.parametrize("kind", ALL)
def test_every_error_of_ours_can_end_a_run_and_stays_what_it_was(kind: type[CyclesError]) -> None:
    plain = made(kind)
    stop: Any = stopped(plain)
    assert {kind, RunStopped, HookAborted} < set(type(stop).__mro__)
    assert (str(stop), stop.args, type(stop).__name__) == (str(plain), plain.args, kind.__name__)
    assert (stop.refused, stop.source, stop.reason) == (plain, "cycles", str(plain))


def test_a_refusal_keeps_its_fields() -> None:
    stop: Any = stopped(BudgetExceededError(PROBLEM))
    with pytest.raises(BudgetExceededError) as caught:
        raise stop
    assert (caught.value.scope, caught.value.requested) == ("tenant:acme", 7)


def test_a_refusal_is_made_once() -> None:
    stop = stopped(CyclesTransportError("nobody answers"))
    assert stopped(stop) is stop


def test_a_refusal_survives_pickling() -> None:
    stop: Any = pickle.loads(pickle.dumps(stopped(BudgetExceededError(PROBLEM))))
    assert isinstance(stop, BudgetExceededError)
    assert isinstance(stop, RunStopped)
    assert stop.scope == "tenant:acme"


def test_a_hook_that_breaks_stops_the_call_and_says_why() -> None:
    nothing: dict[str, str] = {}
    broken = failing_closed(lambda: nothing["model"])
    with pytest.raises(RunStopped, match="KeyError") as caught:
        broken()
    assert isinstance(caught.value, CyclesError)
    assert isinstance(caught.value.__cause__, KeyError)


def test_a_hook_may_stop_a_call_in_its_own_words() -> None:
    own = HookAborted("not today")

    def hook() -> None:
        raise own

    with pytest.raises(HookAborted) as caught:
        failing_closed(hook)()
    assert caught.value is own


def test_an_unknown_price_is_a_refusal_too() -> None:
    stop: Any = stopped(UnknownPriceError("mystery"))
    assert stop.model == "mystery"

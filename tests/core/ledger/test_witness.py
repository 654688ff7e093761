"""Whoever keeps decisions sees each of them once, fresh, with what it was made of."""

from typing import Any

import pytest

from runcycles.errors import ErrorCode, ReasonCode
from runcycles.ledger.authority import Standing
from runcycles.ledger.idempotency import Answered
from runcycles.ledger.state import Need, Outcome, Record, Snapshot, Tenant, tenant_key
from runcycles.ops import Allowed, Denied, Refused, Subjected
from runcycles.types import Action, Amount, ObserveMode, RiskClass, Subject, Unit
from tests.core.ledger.desk import ACTION, Desk, a_decide, a_record, a_reserve, settlements


class Watching:
    """Notes what it is shown, and wants a tenant record kept for each."""

    def __init__(self) -> None:
        self.shown: list[tuple[Subjected, Standing, Any]] = []

    def __call__(
        self,
        snapshot: Snapshot,
        op: Subjected,
        standing: Standing,
        outcome: Outcome[Any] | Refused,
    ) -> tuple[Record, ...] | Need:
        answer = outcome if isinstance(outcome, Refused) else outcome.reply
        self.shown.append((op, standing, answer))
        return (Tenant(tenant_id=f"seen-{len(self.shown)}"),)

    @property
    def answers(self) -> list[Any]:
        return [answer for _, _, answer in self.shown]


def kept(desk: Desk) -> list[str]:
    return [row.tenant_id for row in desk.store.of_kind(Tenant)]


def test_every_kind_of_decision_is_shown_and_what_is_wanted_is_kept() -> None:
    desk, watching = Desk(), Watching()
    asked: list[Subjected] = [
        a_reserve(),
        a_reserve(dry_run=True),
        a_reserve(101, dry_run=True),
        a_reserve(observe_mode=ObserveMode.OBSERVE),
        a_decide(),
        a_decide(101),
    ]
    for op in asked:
        desk.ask(op, witness=watching)
    assert [op for op, _, _ in watching.shown] == asked
    kinds = [Allowed, Allowed, Denied, Allowed, Allowed, Denied]
    assert [type(answer) for answer in watching.answers] == kinds
    assert kept(desk) == [f"seen-{number}" for number in range(1, len(asked) + 1)]


def test_what_is_kept_of_a_refusal_is_kept_alone() -> None:
    desk, watching = Desk(), Watching()
    before = desk.snapshot()
    answer = desk.ask(a_reserve(101), witness=watching)
    assert isinstance(answer, Refused)
    assert answer.reason is ReasonCode.BUDGET_EXCEEDED
    assert watching.answers == [answer]
    after = desk.snapshot()
    assert after.pop(tenant_key("seen-1"))
    assert after == before


def test_a_decision_for_a_tenant_that_only_observes_is_shown_as_observed() -> None:
    desk, watching = Desk(), Watching()
    desk.keep(Tenant(tenant_id="acme", observe_mode=ObserveMode.OBSERVE))
    for op in (a_reserve(), a_reserve(observe_mode=ObserveMode.ENFORCE), a_decide()):
        desk.ask(op, witness=watching)
    assert [standing.observed for _, standing, _ in watching.shown] == [True, False, False]
    assert watching.shown[0][1].risk_class is RiskClass.SIDE_EFFECT


def test_a_replay_is_not_shown_again() -> None:
    desk, watching = Desk(), Watching()
    op = a_reserve()
    desk.ask(op, witness=watching)
    desk.ask(op, witness=watching)
    assert len(watching.shown) == 1


@pytest.mark.parametrize(
    ("op", "code"),
    [
        (a_reserve(subject=Subject(tenant="beta")), ErrorCode.FORBIDDEN),
        (a_reserve(subject=Subject(tenant="acme", agent="other")), ErrorCode.FORBIDDEN),
        (a_reserve(dry_run=True, subject=Subject(tenant="acme")), ErrorCode.FORBIDDEN),
    ],
)
def test_who_may_not_ask_is_not_shown(op: Subjected, code: ErrorCode) -> None:
    desk, watching = Desk(), Watching()
    answer = desk.ask(op, scope_filter=("agent:bot",), witness=watching)
    assert answer.code is code
    assert watching.shown == []


def test_a_request_that_is_wrong_in_itself_is_no_decision() -> None:
    desk, watching = Desk(), Watching()
    op = a_reserve()
    in_credits = type(op)(
        idempotency_key="k",
        subject=op.subject,
        action=ACTION,
        estimate=Amount(unit=Unit.CREDITS, amount=1),
    )
    assert desk.ask(in_credits, witness=watching).code is ErrorCode.UNIT_MISMATCH
    assert watching.shown == []


def test_spending_and_settling_are_no_decisions() -> None:
    desk, watching = Desk(), Watching()
    assert isinstance(desk.ask(a_record(), witness=watching), Answered)
    held = desk.ask(a_reserve()).value.reservation_id
    for op in settlements(held)[:2]:
        assert isinstance(desk.ask(op, witness=watching), Answered)
    assert watching.shown == []


def test_a_witness_may_look_something_up_first() -> None:
    desk, seen = Desk(), []
    desk.keep(Tenant(tenant_id="notes", status="ACTIVE"))

    def looks_it_up(
        snapshot: Snapshot, op: Subjected, standing: Standing, outcome: Any
    ) -> tuple[Record, ...] | Need:
        if missing := snapshot.missing((tenant_key("notes"),)):
            return Need(missing)
        seen.append(snapshot.tenant("notes"))
        return ()

    assert isinstance(desk.ask(a_reserve(), witness=looks_it_up), Answered)
    assert isinstance(desk.ask(a_reserve(1_000), witness=looks_it_up), Refused)
    assert [found and found.status for found in seen] == ["ACTIVE", "ACTIVE"]


def test_what_was_seen_says_which_class_the_kind_is_of() -> None:
    desk, watching = Desk(), Watching()
    desk.ask(a_reserve(action=Action(kind="payment.charge", name="x")), witness=watching)
    assert watching.shown[0][1].risk_class is RiskClass.HIGH_RISK

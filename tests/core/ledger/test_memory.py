from typing import Any

import pytest

from runcycles.errors import ErrorCode, ReasonCode
from runcycles.ledger.apply import ANY_TENANT, Request, expiry, plan
from runcycles.ledger.idempotency import Answered
from runcycles.ledger.lifecycle import TRANSITIONS, Step, after
from runcycles.ledger.memory import DictStore
from runcycles.ledger.state import (
    MAX_NEEDS,
    Account,
    Budget,
    Need,
    Outcome,
    Reservation,
    Snapshot,
    Tenant,
    account_key,
    reply_key,
    tenant_key,
)
from runcycles.ops import Decide, Held, Refused, Release, Reserve, Subjected
from runcycles.types import Action, ReservationStatus, Subject, Unit, tokens

ASKED: dict[str, Any] = {
    "idempotency_key": "k",
    "subject": Subject(tenant="acme"),
    "action": Action(kind="llm.completion", name="gpt-4o"),
    "estimate": tokens(10),
}


class Stage:
    """A store with one budget, and a clock to set."""

    def __init__(self) -> None:
        self.now_ms = 0
        self.store = DictStore(lambda: self.now_ms)
        account = Account(
            tenant="acme",
            scope="tenant:acme",
            unit=Unit.TOKENS,
            allocated=100,
            budget=Budget(ledger_id="b", created_at_ms=0, updated_at_ms=0),
        )
        self.store.records[account.key] = account

    def ask(self, op: Subjected | Held, *, tenant: str | None = "acme", fresh_id: str = "r") -> Any:
        request: Request[Any] = Request(
            tenant=tenant, fingerprint=b"f", encode=lambda _: b"{}", fresh_id=fresh_id
        )
        planned = plan(op, request)
        return self.store.transact(planned.footprint, planned.transition)


def test_time_never_goes_back() -> None:
    moments = iter([5, 7, 3, 8])
    store = DictStore(lambda: next(moments))
    assert [store.now_ms() for _ in range(4)] == [5, 7, 7, 8]


def test_a_transition_gets_what_it_needs_and_its_changes_are_kept() -> None:
    store = DictStore(lambda: 1)
    tenant = Tenant(tenant_id="acme")

    def transition(snapshot: Snapshot) -> Outcome[str] | Need:
        if missing := snapshot.missing((tenant_key("acme"),)):
            return Need(missing)
        return Outcome("kept", (tenant,))

    assert store.transact((), transition) == "kept"
    assert list(store.of_kind(Tenant)) == [tenant]
    assert list(store.of_kind(Account)) == []


def test_a_transition_that_never_has_enough_is_stopped() -> None:
    asked: list[Snapshot] = []

    def transition(snapshot: Snapshot) -> Outcome[str] | Need:
        asked.append(snapshot)
        return Need((tenant_key(str(len(asked))),))

    with pytest.raises(AssertionError, match="asked for more records"):
        DictStore(lambda: 1).transact((), transition)
    assert len(asked) == MAX_NEEDS


def test_what_is_due_is_told_only_after_its_grace_and_the_longest_overdue_first() -> None:
    stage = Stage()
    for name, grace_ms in (("three", 12), ("one", 10), ("two", 11)):
        ask = {**ASKED, "idempotency_key": name}
        stage.ask(Reserve(**ask, ttl_ms=1_000, grace_period_ms=grace_ms), fresh_id=name)
    stage.now_ms = 1_010
    assert stage.store.due(9) == []
    stage.now_ms = 1_011
    assert stage.store.due(9) == ["one"]
    stage.now_ms = 1_013
    assert stage.store.due(0) == []
    assert stage.store.due(2) == ["one", "two"]
    assert stage.store.due(9) == ["one", "two", "three"]


def test_expiring_what_is_unknown_or_not_due_changes_nothing() -> None:
    stage = Stage()
    stage.ask(Reserve(**ASKED))
    before = dict(stage.store.records)
    for reservation_id in ("unknown", "r"):
        planned = expiry(reservation_id)
        assert stage.store.transact(planned.footprint, planned.transition) is False
    assert {key: record for key, record in stage.store.records.items() if record} == before


def test_an_operator_settles_reservations_of_any_tenant_under_the_tenants_keys() -> None:
    stage = Stage()
    stage.ask(Reserve(**ASKED))
    answer = stage.ask(Release(reservation_id="r", idempotency_key="k"), tenant=ANY_TENANT)
    assert isinstance(answer, Answered)
    assert next(stage.store.of_kind(Reservation)).status is ReservationStatus.RELEASED
    assert reply_key("acme", "release/r", "k") in stage.store.records


def test_an_operator_starts_nothing() -> None:
    with pytest.raises(ValueError, match="only a tenant"):
        Stage().ask(Decide(**ASKED), tenant=ANY_TENANT)


def test_only_what_is_active_can_change() -> None:
    assert {status for status, _ in TRANSITIONS} == {ReservationStatus.ACTIVE}
    assert {step for _, step in TRANSITIONS} == set(Step)
    for status in set(ReservationStatus) - {ReservationStatus.ACTIVE}:
        assert all(after(status, step) is None for step in Step)


def test_a_snapshot_tells_what_is_not_there_from_what_was_not_looked_up() -> None:
    here, gone = (account_key("acme", scope, Unit.TOKENS) for scope in ("tenant:acme", "agent:x"))
    snapshot = Snapshot(0, {here: None})
    assert snapshot.missing((here, gone)) == (gone,)
    assert snapshot.account(here) is None
    assert snapshot.accounts((here,)) == ()


def test_a_refusal_without_a_reason_is_denied_by_its_code_and_has_no_detail() -> None:
    refused = Refused(code=ErrorCode.UNIT_MISMATCH, message="no")
    assert refused.as_denial(("tenant:acme",)).reason_code == ErrorCode.UNIT_MISMATCH
    assert refused.deny_detail is None


def test_a_suggested_fix_is_cut_to_what_the_protocol_takes() -> None:
    refused = Refused(
        code=ErrorCode.BUDGET_EXCEEDED,
        reason=ReasonCode.BUDGET_EXCEEDED,
        message="no",
        suggested_fix="x" * 513,
    )
    assert refused.deny_detail is not None
    assert refused.deny_detail.suggested_fix == "x" * 512

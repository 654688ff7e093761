"""A key with a scope filter works in its own scopes, and sees nothing happen elsewhere."""

import pytest

from runcycles.errors import ErrorCode
from runcycles.ledger.idempotency import Answered
from runcycles.ops import Refused, Subjected
from runcycles.types import Subject
from tests.core.ledger.desk import Desk, a_decide, a_record, a_reserve, settlements

ASKED = [a_reserve(), a_reserve(dry_run=True), a_decide(), a_record()]
NAMES = ["reserve", "dry run", "decide", "event"]


@pytest.mark.parametrize("op", ASKED, ids=NAMES)
@pytest.mark.parametrize("entry", ["agent:bot", "agent:*", "tenant:acme", "tenant:*", "AGENT:Bot"])
def test_a_key_asks_within_its_scopes(op: Subjected, entry: str) -> None:
    assert isinstance(Desk().ask(op, scope_filter=("workspace:dev", entry)), Answered)


@pytest.mark.parametrize("op", ASKED, ids=NAMES)
@pytest.mark.parametrize("entry", ["agent:bo", "agent:other", "workspace:*", "tenant:beta", "bot"])
def test_a_key_is_refused_outside_of_its_scopes(op: Subjected, entry: str) -> None:
    desk = Desk()
    before = desk.snapshot()
    answer = desk.ask(op, scope_filter=(entry,))
    assert isinstance(answer, Refused)
    assert answer.code is ErrorCode.FORBIDDEN
    assert entry in answer.message
    assert "tenant:acme/agent:bot" in answer.message
    assert desk.snapshot() == before


@pytest.mark.parametrize("scope_filter", [None, ()])
def test_without_entries_nothing_is_filtered(scope_filter: tuple[str, ...] | None) -> None:
    assert isinstance(Desk().ask(a_reserve(), scope_filter=scope_filter), Answered)


def test_a_subject_without_its_tenant_lies_in_the_callers() -> None:
    desk = Desk()
    anonymous = a_reserve(subject=Subject(agent="bot"))
    assert desk.ask(anonymous, scope_filter=("workspace:*",)).code is ErrorCode.FORBIDDEN
    assert desk.ask(anonymous, scope_filter=("tenant:acme",)).code is ErrorCode.NOT_FOUND


def test_a_key_settles_within_its_scopes_only() -> None:
    desk = Desk()
    held = desk.ask(a_reserve()).value.reservation_id
    before = desk.snapshot()
    for op in settlements(held):
        answer = desk.ask(op, scope_filter=("agent:other",))
        assert isinstance(answer, Refused)
        assert answer.code is ErrorCode.FORBIDDEN
    assert desk.snapshot() == before
    for op in settlements(held)[:2]:
        assert isinstance(desk.ask(op, scope_filter=("agent:*",)), Answered)


def test_what_was_remembered_is_not_told_to_a_key_of_other_scopes() -> None:
    desk, op = Desk(), a_reserve()
    assert isinstance(desk.ask(op), Answered)
    assert isinstance(desk.ask(op, scope_filter=("agent:other",)), Refused)


def test_another_tenants_name_is_refused_before_the_filter_is_looked_at() -> None:
    answer = Desk().ask(a_reserve(subject=Subject(tenant="beta")), scope_filter=("agent:other",))
    assert "belongs to the tenant acme" in answer.message

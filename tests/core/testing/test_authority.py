"""The in-memory authority answers like a server, and lets a test be its operator."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest

from runcycles.errors import (
    BudgetExceededError,
    BudgetFrozenError,
    CyclesProtocolError,
    ForbiddenError,
    InvalidRequestError,
    ReservationExpiredError,
    ReservationNotFoundError,
    SettlementRefusedError,
    TenantSuspendedError,
)
from runcycles.ops import (
    Allowed,
    Balances,
    Commit,
    Decide,
    Denied,
    GetReservation,
    ListReservations,
    Record,
    Reserve,
)
from runcycles.testing import InMemoryAuthority
from runcycles.transports import SENDING, LocalAuthority, Sending
from runcycles.types import (
    Action,
    Amount,
    BudgetStatus,
    OveragePolicy,
    ReservationStatus,
    Subject,
    Unit,
    tokens,
    usd,
)

ACTION = Action(kind="llm.completion", name="gpt-4o")


def authority(tokens_there: int = 100) -> InMemoryAuthority:
    return InMemoryAuthority(budgets={"tenant:acme": tokens(tokens_there)})


def reserve(amount: int = 10, key: str = "k", agent: str | None = None, **fields: Any) -> Reserve:
    subject = Subject(tenant="acme", agent=agent)
    ask = {"subject": subject, "action": ACTION, "estimate": tokens(amount), **fields}
    return Reserve(idempotency_key=key, **ask)


def allowed(found: Allowed | Denied) -> Allowed:
    assert isinstance(found, Allowed)
    return found


# --- answers ---


def test_a_success_is_returned_and_a_replay_is_the_same_with_the_time_that_remains() -> None:
    home = authority()
    first = allowed(home.send(reserve()))
    assert first.reservation_id
    assert first.balances
    home.clock.advance(1_000)
    again = allowed(home.send(reserve()))
    assert again.remaining_ttl_ms == 59_000
    assert again.reservation_id == first.reservation_id
    assert again.balances == first.balances


def test_a_denied_reservation_is_raised_and_a_denied_question_returned() -> None:
    home = authority(5)
    with pytest.raises(BudgetExceededError) as denial:
        home.send(reserve())
    assert (denial.value.status, denial.value.scope, denial.value.remaining) == (
        409,
        "tenant:acme",
        5,
    )
    assert denial.value.request_id
    assert len(denial.value.trace_id or "") == 32
    denied = home.send(reserve(dry_run=True, key="d"))
    assert isinstance(denied, Denied)
    assert denied.detail is not None
    assert denied.detail.suggested_fix
    decide = Decide(
        idempotency_key="k",
        subject=Subject(tenant="acme"),
        action=ACTION,
        estimate=tokens(6),
    )
    assert isinstance(home.send(decide), Denied)


def test_an_error_belongs_to_the_trace_of_its_question() -> None:
    home = authority(5)
    sending = Sending("ab" * 16)
    token = SENDING.set(sending)
    try:
        with pytest.raises(BudgetExceededError) as denial:
            home.send(reserve())
    finally:
        SENDING.reset(token)
    assert denial.value.trace_id == sending.trace_id


def test_a_limit_of_the_protocol_is_a_limit_here() -> None:
    with pytest.raises(InvalidRequestError, match="ttl_ms"):
        authority().send(reserve(ttl_ms=5))
    with pytest.raises(InvalidRequestError, match="limit"):
        authority().send(Balances(tenant="acme", limit=1_000))


def test_a_refused_settlement_is_raised() -> None:
    home = authority()
    held = allowed(home.send(reserve(overage_policy=OveragePolicy.REJECT)))
    with pytest.raises(SettlementRefusedError) as refusal:
        home.send(
            Commit(
                reservation_id=held.reservation_id or "",
                idempotency_key="c",
                actual=tokens(11),
            )
        )
    assert refusal.value.actual == 11


async def test_it_is_a_local_authority_for_sync_and_async_clients() -> None:
    home: LocalAuthority = authority()
    sync = home.transport()
    asynchronous = home.async_transport()
    first = allowed(sync.send(reserve()))
    again = allowed(await asynchronous.send(reserve()))
    assert first.reservation_id == again.reservation_id
    with pytest.raises(BudgetExceededError):
        await asynchronous.send(reserve(1_000, key="other"))
    sync.close()
    await asynchronous.aclose()


def test_threads_never_reserve_more_than_there_is() -> None:
    home = authority(50)

    def ask(number: int) -> bool:
        try:
            home.send(reserve(1, key=str(number)))
        except BudgetExceededError:
            return False
        return True

    with ThreadPoolExecutor(8) as threads:
        assert sum(threads.map(ask, range(100))) == 50
    assert home.account("tenant:acme").remaining == 0


# --- reads ---


@contextmanager
def refused_as(error: type[CyclesProtocolError], match: str) -> Iterator[None]:
    with pytest.raises(error, match=match):
        yield


def test_balances_are_those_whose_scope_holds_every_segment_asked_for() -> None:
    home = InMemoryAuthority(
        budgets={
            "tenant:acme/agent:bot": tokens(1),
            "tenant:acme": tokens(2),
            "tenant:acme/app:crm/agent:bot": tokens(3),
            "agent:bot": tokens(4),
        }
    )
    home.add_budget("tenant:beta", tokens(5), tenant="beta")

    def scopes(**asked: Any) -> list[str]:
        return [balance.scope_path for balance in home.send(Balances(**asked)).balances]

    everything = ["agent:bot", "tenant:acme", "tenant:acme/agent:bot"]
    assert scopes(tenant="acme") == [*everything, "tenant:acme/app:crm/agent:bot"]
    assert scopes(app="crm", agent="BOT") == ["tenant:acme/app:crm/agent:bot"]
    assert scopes(agent="bo") == []
    with refused_as(InvalidRequestError, "at least one of"):
        home.send(Balances())
    with refused_as(ForbiddenError, "beta"):
        home.send(Balances(tenant="beta"))


def test_balances_come_in_pages() -> None:
    home = InMemoryAuthority(budgets={f"tenant:acme/agent:a{n}": tokens(n) for n in range(5)})
    page = home.send(Balances(tenant="acme", limit=3))
    assert (len(page.balances), page.has_more) == (3, True)
    rest = home.send(Balances(tenant="acme", limit=3, cursor=page.next_cursor))
    assert (len(rest.balances), rest.has_more, rest.next_cursor) == (2, False, None)
    with refused_as(InvalidRequestError, "cursor"):
        home.send(Balances(tenant="acme", cursor="x"))


def test_a_reservation_is_read_by_its_owner_until_it_expires() -> None:
    home = authority()
    held = allowed(home.send(reserve(metadata={"a": 1})))
    reservation_id = held.reservation_id or ""
    read = GetReservation(reservation_id=reservation_id)
    view = home.send(read)
    assert (view.status, view.metadata, view.committed) == ("ACTIVE", {"a": 1}, None)
    with pytest.raises(ForbiddenError):
        home.send(read, tenant="beta")
    with pytest.raises(ReservationNotFoundError):
        home.send(GetReservation(reservation_id="unknown"))
    home.clock.advance(65_001)
    assert home.send(read).status is ReservationStatus.ACTIVE
    assert home.sweep() == 1
    with pytest.raises(ReservationExpiredError):
        home.send(read)
    (row,) = home.send(ListReservations()).reservations
    assert row.status is ReservationStatus.EXPIRED


def test_a_committed_reservation_shows_what_was_charged() -> None:
    home = authority()
    held = allowed(home.send(reserve()))
    commit = Commit(
        reservation_id=held.reservation_id or "",
        idempotency_key="c",
        actual=tokens(4),
        metadata={"b": 2},
    )
    home.send(commit)
    view = home.send(GetReservation(reservation_id=commit.reservation_id))
    assert view.committed == tokens(4)
    assert view.committed_metadata == {"b": 2}
    assert view.finalized_at_ms == home.clock.now_ms()


def three_reservations() -> tuple[InMemoryAuthority, list[str]]:
    home = authority()
    ids = []
    for number, agent in enumerate(["a", "b", None]):
        ask = reserve(30 - 10 * number, key=f"k{number}", agent=agent, metadata={"n": number})
        ids.append(allowed(home.send(ask)).reservation_id or "")
        home.clock.advance(1_000)
    home.send(Commit(reservation_id=ids[0], idempotency_key="c", actual=tokens(1)))
    return home, ids


@pytest.mark.parametrize(
    ("asked", "rows"),
    [
        ({}, [2, 1, 0]),
        ({"tenant": "acme"}, [2, 1, 0]),
        ({"sort_dir": "asc"}, [0, 1, 2]),
        ({"sort_by": "reserved"}, [0, 1, 2]),
        ({"sort_by": "RESERVED", "sort_dir": "ASC"}, [2, 1, 0]),
        ({"sort_by": "scope_path", "sort_dir": "asc"}, [2, 0, 1]),
        ({"sort_by": "expires_at_ms"}, [2, 1, 0]),
        ({"status": "ACTIVE"}, [2, 1]),
        ({"status": "EXPIRED"}, []),
        ({"agent": "B"}, [1]),
        ({"idempotency_key": "k1"}, [1]),
        ({"created_from": "2027-01-15T08:00:01Z"}, [2, 1]),
        ({"created_to": "2027-01-15T08:00:01Z"}, [1, 0]),
        ({"expires_from": "2027-01-15T08:01:01Z", "expires_to": "2027-01-15T09:01:01+01:00"}, [1]),
        ({"finalized_from": "2027-01-15T08:00:00Z"}, [0]),
        ({"finalized_to": "2027-01-15T08:00:00Z"}, []),
    ],
)
def test_reservations_are_filtered_and_sorted_as_asked(
    asked: dict[str, Any], rows: list[int]
) -> None:
    home, ids = three_reservations()
    page = home.send(ListReservations(**asked))
    assert [ids.index(row.reservation_id) for row in page.reservations] == rows


def test_equals_are_sorted_by_their_ids_whatever_the_direction() -> None:
    home, ids = three_reservations()

    def listed(**asked: Any) -> list[str]:
        return [row.reservation_id for row in home.send(ListReservations(**asked)).reservations]

    assert listed(sort_by="tenant") == listed(sort_by="tenant", sort_dir="asc") == sorted(ids)
    assert listed(sort_by="reservation_id") == sorted(ids, reverse=True)
    assert listed(sort_by="status") == [ids[0], *sorted(ids[1:])]


def test_reservations_of_others_are_not_listed() -> None:
    home, _ = three_reservations()
    assert home.send(ListReservations(), tenant="beta").reservations == ()
    with pytest.raises(ForbiddenError):
        home.send(ListReservations(tenant="beta"))


def test_optional_members_are_listed_where_they_are_asked_for() -> None:
    home, _ = three_reservations()
    assert home.send(ListReservations()).reservations[0].metadata is None
    (row, *_) = home.send(ListReservations(include="metadata, evidence")).reservations
    assert row.metadata == {"n": 2}


@pytest.mark.parametrize(
    ("asked", "complaint"),
    [
        ({"status": "OPEN"}, "status: 'OPEN' is none of ACTIVE"),
        ({"sort_by": "colour"}, "sort_by: 'colour' is none of"),
        ({"sort_dir": "up"}, "sort_dir: 'up' is none of asc, desc"),
        ({"created_from": "yesterday"}, "yesterday"),
        ({"created_from": "2027-01-15T08:00:01"}, "time zone"),
    ],
)
def test_a_filter_that_means_nothing_is_refused(asked: dict[str, Any], complaint: str) -> None:
    home, _ = three_reservations()
    with refused_as(InvalidRequestError, complaint):
        home.send(ListReservations(**asked))


# --- the operator ---


def test_a_budget_is_found_by_its_unit_where_a_scope_has_several() -> None:
    home = authority()
    home.add_budget("tenant:acme", usd("5"))
    assert home.account("tenant:acme", Unit.TOKENS).allocated == 100
    with pytest.raises(LookupError, match="2 such budgets"):
        home.account("tenant:acme")
    with pytest.raises(LookupError, match="0 such budgets"):
        home.account("tenant:beta")
    with pytest.raises(ValueError, match="has a budget in TOKENS already"):
        home.add_budget("tenant:acme", tokens(1))
    home.remove_budget("tenant:acme", Unit.TOKENS)
    assert home.account("tenant:acme").unit is Unit.USD_MICROCENTS


def test_a_frozen_budget_takes_nothing_new_and_no_funds() -> None:
    home = authority()
    home.freeze("tenant:acme")
    with pytest.raises(BudgetFrozenError):
        home.send(reserve())
    with pytest.raises(CyclesProtocolError, match="BUDGET_FROZEN"):
        home.fund("tenant:acme", tokens(1))
    home.edit_budget("tenant:acme", status=BudgetStatus.ACTIVE)
    assert home.fund("tenant:acme", tokens(1)).allocated == 101


def test_a_tenants_record_keeps_what_is_not_changed() -> None:
    home = authority()
    home.set_tenant(default_ttl_ms=5_000)
    home.set_tenant(status="SUSPENDED")
    with pytest.raises(TenantSuspendedError):
        home.send(reserve())
    home.set_tenant(status="ACTIVE")
    assert allowed(home.send(reserve())).remaining_ttl_ms == 5_000


def test_events_and_other_tenants_are_possible_too() -> None:
    home = authority()
    home.add_budget("tenant:beta", tokens(5), tenant="beta", overage_policy=OveragePolicy.REJECT)
    event = Record(
        idempotency_key="k",
        subject=Subject(tenant="beta"),
        action=ACTION,
        actual=Amount(unit=Unit.TOKENS, amount=5),
    )
    assert home.send(event, tenant="beta").charged is None
    assert home.account("tenant:beta", tenant="beta").spent == 5
    with pytest.raises(ForbiddenError):
        home.send(event)


def test_a_sweep_goes_on_until_nothing_is_overdue(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runcycles.testing.authority.SWEEP_BATCH", 2)
    home = authority()
    for number in range(5):
        home.send(reserve(1, key=str(number), ttl_ms=1_000))
    home.clock.advance(6_001)
    assert home.sweep() == 5
    assert home.sweep() == 0
    assert {row.status for row in home.reservations()} == {ReservationStatus.EXPIRED}
    assert [account.reserved for account in home.accounts()] == [0]

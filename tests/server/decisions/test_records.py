"""Every decision leaves a record of what it was made of; repeated denials share theirs."""

import asyncio
from typing import Any

import pytest

from runcycles.errors import BudgetExceededError, CyclesProtocolError, TenantSuspendedError
from runcycles.ledger.state import Outcome, Tenant
from runcycles.ops import Allowed, Denied, Record, Subjected
from runcycles.types import Amount, ObserveMode, OveragePolicy, Subject, TenantStatus, Unit
from runcycles_server.authority import Authority
from runcycles_server.decisions.facts import SeenAccount, parse_facts
from runcycles_server.decisions.witness import MAX_REQUEST_IDS
from runcycles_server.stores.suite.bench import ACTION, SUBJECT, TENANT, an_account
from tests.server.decisions.asks import Asking, a_decide, a_reserve, agent, named


async def test_what_was_allowed_is_kept_under_its_reservation(asking: Asking) -> None:
    op = a_reserve(10, ttl_ms=5_000, overage_policy=OveragePolicy.REJECT)
    answer = await asking.ask(op, "request-a")
    record = await asking.only(answer.reservation_id)
    assert record.decision_id == record.reservation_id == answer.reservation_id
    assert (record.tenant, record.decision, record.reason) == (TENANT, "ALLOW", None)
    assert (record.request_ids, record.trace_id) == ("request-a", "t" * 32)
    assert record.idempotency_key == op.idempotency_key
    assert record.at_ms == asking.bench.clock.ms
    for wanted in ("request-a", "t" * 32, op.idempotency_key):
        assert await asking.only(wanted) == record
    facts = parse_facts(record.facts)
    assert (facts.asked, facts.scope, facts.kind, facts.name) == (
        "reserve",
        "tenant:acme",
        ACTION.kind,
        ACTION.name,
    )
    assert (facts.unit, facts.amount, facts.ttl_ms) == (Unit.TOKENS, 10, 5_000)
    assert facts.overage_policy is OveragePolicy.REJECT
    assert facts.accounts == (SeenAccount("tenant:acme", an_account().status, 100, 0, 0),)
    assert (facts.tenant, facts.refusal, facts.caps, facts.observed) == (None, None, None, False)


async def test_what_is_kept_is_what_there_was_before(asking: Asking) -> None:
    await asking.ask(a_reserve(30))
    answer = await asking.ask(a_reserve(20))
    facts = parse_facts((await asking.only(answer.reservation_id)).facts)
    assert (facts.accounts[0].reserved, facts.accounts[0].remaining) == (30, 70)


async def test_every_kind_of_question_is_kept(asking: Asking) -> None:
    ops: dict[str, Subjected] = {
        "live": a_reserve(10),
        "dry": a_reserve(10, dry_run=True),
        "observed": a_reserve(10, observe_mode=ObserveMode.OBSERVE),
        "decided": a_decide(10),
    }
    for key, op in ops.items():
        assert isinstance(await asking.ask(op, key), Allowed)
    records = {key: await asking.only(key) for key in ("live", "dry", "observed", "decided")}
    facts = {key: parse_facts(record.facts) for key, record in records.items()}
    assert [each.asked for each in facts.values()] == ["reserve", "dry_run", "reserve", "decide"]
    assert [each.observed for each in facts.values()] == [False, False, True, False]
    assert [each.reservation_id is None for each in records.values()] == [False, True, True, True]


async def test_what_is_rarely_said_is_kept_too(asking: Asking) -> None:
    run = {"run_id": 'a "run"'}
    await asking.bench.keep(
        an_account(allocated=100, debt=5, overdraft_limit=50, is_over_limit=True),
        Tenant(tenant_id=TENANT),
    )
    await asking.ask(a_reserve(10, subject=Subject(tenant=TENANT, dimensions=run)), "denied")
    facts = parse_facts((await asking.only("denied")).facts)
    assert facts.dimensions == run
    assert facts.tenant == "ACTIVE"
    assert facts.accounts[0][2:] == (100, 0, 0, 5, 50, True)
    assert facts.refusal is not None
    assert facts.refusal.scope == "tenant:acme"
    assert "over its limit" in facts.refusal.message


async def test_a_repeated_question_leaves_nothing_more(asking: Asking) -> None:
    op = a_reserve(10)
    await asking.ask(op, "first")
    assert await asking.ask(op, "again") is None
    assert await asking.kept("again") == []


async def test_spending_and_mistakes_leave_nothing(asking: Asking) -> None:
    record = Record(
        idempotency_key="e",
        subject=SUBJECT,
        action=ACTION,
        actual=Amount(unit=Unit.TOKENS, amount=1),
    )
    await asking.ask(record, "spent")
    in_credits = a_reserve(estimate=Amount(unit=Unit.CREDITS, amount=1))
    assert isinstance(await asking.ask(in_credits, "mistaken"), CyclesProtocolError)
    assert [await asking.kept(wanted) for wanted in ("spent", "mistaken")] == [[], []]


async def test_without_anybody_who_asks_nothing_is_kept(asking: Asking) -> None:
    op = a_reserve(10)
    await Authority(asking.bench.store).ask(op, tenant=TENANT)
    assert await asking.kept(op.idempotency_key) == []


# ── denials ──────────────────────────────────────────────────────────────────────────────────────


async def test_a_denial_is_kept_and_is_in_the_audit_log(asking: Asking) -> None:
    assert isinstance(await asking.ask(a_reserve(101), "denied"), BudgetExceededError)
    record = await asking.only("denied")
    assert (record.decision, record.reason, record.repeats) == ("DENY", "BUDGET_EXCEEDED", 0)
    [entry] = await asking.audited()
    assert (entry.operation, entry.status, entry.error_code) == (
        "createReservation",
        409,
        "BUDGET_EXCEEDED",
    )
    assert (entry.tenant_id, entry.key_id) == (TENANT, "key_1")
    assert (entry.request_id, entry.trace_id) == ("denied", "t" * 32)
    assert entry.details is not None
    assert entry.details["decision_id"] == record.decision_id


@pytest.mark.parametrize(
    ("op", "operation", "status"),
    [
        (a_decide(101), "decide", 200),
        (a_reserve(101, dry_run=True), "createReservation", 200),
        (a_reserve(101, observe_mode=ObserveMode.OBSERVE), "createReservation", 200),
    ],
)
async def test_a_denial_that_blocks_nothing_is_in_the_audit_log_too(
    asking: Asking, op: Any, operation: str, status: int
) -> None:
    assert isinstance(await asking.ask(op), Denied)
    [entry] = await asking.audited()
    assert (entry.operation, entry.status) == (operation, status)


async def test_repeats_within_a_second_share_one_record(asking: Asking) -> None:
    for number in range(20):
        await asking.ask(a_reserve(101), f"storm-{number}")
    record = await asking.only("storm-0")
    assert record.repeats == 19
    ids = record.request_ids.split("\n")
    assert ids == [f"storm-{number}" for number in range(MAX_REQUEST_IDS)]
    assert await asking.only("storm-15") == record
    assert await asking.kept("storm-16") == []
    assert len(await asking.audited()) == 1


async def test_repeats_in_one_batch_share_one_record(asking: Asking) -> None:
    await asyncio.gather(*[asking.ask(a_reserve(101), f"at-once-{n}") for n in range(8)])
    assert (await asking.only("at-once-0")).repeats == 7
    assert len(await asking.audited()) == 1


async def test_the_next_second_has_its_own_record(asking: Asking) -> None:
    await asking.ask(a_reserve(101), "earlier")
    asking.bench.clock.ms += 1_000
    await asking.ask(a_reserve(101), "later")
    earlier, later = await asking.only("earlier"), await asking.only("later")
    assert earlier.decision_id < later.decision_id
    assert (earlier.repeats, later.repeats) == (0, 0)
    assert len(await asking.audited()) == 2


async def test_other_denials_have_their_own_records(asking: Asking) -> None:
    await asking.bench.keep(an_account(unit=Unit.CREDITS, allocated=1))
    ops: tuple[Subjected, ...] = (
        a_reserve(101),
        a_reserve(101, dry_run=True),
        a_reserve(101, observe_mode=ObserveMode.OBSERVE),
        a_decide(101),
        a_reserve(101, action=named("other")),
        a_reserve(101, subject=agent("bot")),
        a_reserve(estimate=Amount(unit=Unit.CREDITS, amount=2)),
    )
    for number, op in enumerate(ops):
        await asking.ask(op, f"other-{number}")
    records = [await asking.only(f"other-{number}") for number in range(len(ops))]
    assert len({record.decision_id for record in records}) == len(ops)


async def test_who_is_forbidden_is_left_to_the_log_of_failed_requests(asking: Asking) -> None:
    await asking.bench.keep(Tenant(tenant_id=TENANT, status=TenantStatus.SUSPENDED))
    assert isinstance(await asking.ask(a_reserve(1), "suspended"), TenantSuspendedError)
    assert (await asking.only("suspended")).reason == "TENANT_SUSPENDED"
    assert await asking.audited() == []
    await asking.ask(a_decide(1), "told")
    assert [entry.error_code for entry in await asking.audited()] == ["TENANT_SUSPENDED"]


# ── together or not at all ───────────────────────────────────────────────────────────────────────


async def test_a_decision_and_its_effect_are_one_outcome(asking: Asking) -> None:
    """Seen at the store: whatever keeps a reservation keeps its record with it."""
    kept: list[set[str]] = []
    store = asking.bench.store

    class Watching:
        def __getattr__(self, name: str) -> Any:
            return getattr(store, name)

        async def transact(self, footprint: Any, transition: Any) -> Any:
            def watched(snapshot: Any) -> Any:
                outcome = transition(snapshot)
                if isinstance(outcome, Outcome):
                    kept.append({record.key[0] for record in outcome.changes})
                return outcome

            return await store.transact(footprint, watched)

    asking.authority = Authority(Watching())
    for op in (a_reserve(10), a_reserve(101), a_decide(1)):
        await asking.ask(op)
    assert kept == [
        {"account", "reservation", "decision", "reply"},
        {"decision", "audit"},
        {"decision", "reply"},
    ]

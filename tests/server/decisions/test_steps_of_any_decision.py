"""Whatever the ledger decides about whatever question: the explanation says why, and truly.

An auditor that shares no code with the ledger looks at the values that were kept, and has to find
the same first obstacle that the explanation names.
"""

import asyncio
from collections.abc import Iterator
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from runcycles.errors import CyclesProtocolError, ReasonCode
from runcycles.ledger.policies import Policy, PolicyBook, Quota, RateLimits, Stop, Stops
from runcycles.ledger.state import Account, Budget, Outcome, Record, Tenant
from runcycles.ops import Allowed, Decide, Denied, Reserve
from runcycles.testing import FakeClock
from runcycles.types import (
    Action,
    Amount,
    BudgetStatus,
    Caps,
    ObserveMode,
    QuotaWindow,
    RiskClass,
    Subject,
    TenantStatus,
    Unit,
)
from runcycles_server.authority import Authority
from runcycles_server.decisions.bodies import ExplainedDecision, Finding
from runcycles_server.decisions.explaining import explain
from runcycles_server.decisions.facts import Facts, parse_facts
from runcycles_server.decisions.steps import CHECKS
from runcycles_server.stores.memory import MemoryStore
from tests.server.decisions.asks import Caller

NOON_MS = 1_900_000_000_000
KINDS = ("llm.completion", "message.email.send", "payment.charge", "custom.nobody.knows")
SCOPES = ("tenant:acme", "tenant:acme/agent:bot")
SMALL = st.integers(0, 60)


def some(values: st.SearchStrategy[Any]) -> st.SearchStrategy[tuple[Any, ...]]:
    return st.lists(values, max_size=2).map(tuple)


quotas = st.builds(
    Quota,
    max_calls=st.integers(1, 2),
    window=st.sampled_from([QuotaWindow.PER_DAY, QuotaWindow.PER_RUN]),
    action_kind=st.sampled_from(KINDS[:3]),
) | st.builds(
    Quota,
    max_calls=st.integers(1, 2),
    window=st.just(QuotaWindow.PER_TENANT_PER_DAY),
    risk_class=st.sampled_from(RiskClass),
)
policies = st.builds(
    Policy,
    policy_id=st.uuids().map(lambda drawn: f"pol_{drawn.hex[:8]}"),
    name=st.just('a "policy"'),
    scope_pattern=st.sampled_from([*SCOPES, "tenant:acme/*"]),
    created_at_ms=st.just(0),
    priority=st.integers(0, 2),
    caps=st.none() | st.just(Caps(max_tokens=9)),
    denied_action_kinds=some(st.sampled_from(KINDS)),
    allowed_action_kinds=some(st.sampled_from(KINDS)),
    rate_limits=st.none() | st.just(RateLimits(max_reservations_per_minute=2)),
    quotas=some(quotas),
)
accounts = st.builds(
    Account,
    tenant=st.just("acme"),
    scope=st.sampled_from(SCOPES),
    unit=st.just(Unit.TOKENS),
    allocated=SMALL,
    spent=SMALL,
    debt=st.sampled_from([0, 0, 0, 5]),
    overdraft_limit=st.sampled_from([0, 4, 50]),
    is_over_limit=st.sampled_from([False, False, False, True]),
    status=st.sampled_from([BudgetStatus.ACTIVE] * 4 + [BudgetStatus.FROZEN, BudgetStatus.CLOSED]),
    budget=st.just(Budget(ledger_id="l", created_at_ms=0, updated_at_ms=0)),
)
tenants = st.sampled_from([*[TenantStatus.ACTIVE] * 6, TenantStatus.SUSPENDED, TenantStatus.CLOSED])
stops = st.sampled_from([None, None, None, None, "*", "tenant:acme", "tenant:acme/agent:other"])


@st.composite
def worlds(draw: st.DrawFn) -> tuple[Record, ...]:
    """Everything that an operator may have said."""
    records: list[Record] = list(draw(some(accounts)))
    if draw(st.booleans()):
        mode = draw(st.sampled_from([ObserveMode.ENFORCE, ObserveMode.OBSERVE]))
        records.append(Tenant(tenant_id="acme", status=draw(tenants), observe_mode=mode))
    records.append(PolicyBook(tenant="acme", policies=draw(some(policies))))
    if (target := draw(stops)) is not None:
        stop = Stop(
            stop_id="stop_1", target=target, reason="fire", stopped_by="me", stopped_at_ms=0
        )
        records.append(Stops(stops=(stop,)))
    return tuple(records)


@st.composite
def questions(draw: st.DrawFn) -> Reserve | Decide:
    key = draw(st.uuids()).hex
    said: dict[str, Any] = {
        "idempotency_key": key,
        "subject": Subject(
            tenant=draw(st.sampled_from([None, "acme", "acme"])),
            agent=draw(st.sampled_from(["bot", "Bot", "other"])),
            dimensions=draw(st.sampled_from([None, {"run_id": "run-1"}, {"run_id": "run-1"}])),
        ),
        "action": Action(kind=draw(st.sampled_from(KINDS)), name='a "name"'),
        "estimate": Amount(
            unit=draw(st.sampled_from([Unit.TOKENS] * 9 + [Unit.CREDITS])), amount=draw(SMALL)
        ),
    }
    if draw(st.booleans()):
        return Decide(**said)
    return Reserve(
        **said,
        dry_run=draw(st.sampled_from([None, True])),
        observe_mode=draw(st.sampled_from([None, None, ObserveMode.OBSERVE])),
    )


def obstacles(facts: Facts, policy: Policy | None) -> Iterator[str]:
    """What stands in the way, in the order of the protocol, from the values alone."""
    if facts.tenant not in (None, "ACTIVE"):
        yield "tenant"
    if facts.stop is not None:
        yield "emergency_stop"
    if policy is not None and facts.kind in policy.denied_action_kinds:
        yield "denied_kinds"
    if policy is not None and facts.kind not in (policy.allowed_action_kinds or [facts.kind]):
        yield "allowed_kinds"
    if any(limit.used >= limit.limit for limit in facts.quotas):
        yield "quotas"
    if facts.rate is not None and facts.rate.used >= facts.rate.limit:
        yield "rate_limit"
    if not facts.accounts:
        yield "budget_exists"
    for name, status in (("budget_not_frozen", "FROZEN"), ("budget_not_closed", "CLOSED")):
        if any(each.status == status for each in facts.accounts):
            yield name
    if any(each.is_over_limit or each.debt > each.overdraft_limit > 0 for each in facts.accounts):
        yield "within_overdraft"
    if any(each.debt and not each.overdraft_limit for each in facts.accounts):
        yield "no_debt"
    if any(each.remaining < facts.amount for each in facts.accounts):
        yield "enough_remaining"


async def decided(
    world: tuple[Record, ...], ops: list[Reserve | Decide]
) -> list[tuple[Any, ExplainedDecision | None, Facts | None]]:
    """The answer to each question, a second apart, its explanation, and the values behind it."""
    clock = FakeClock(now_ms=NOON_MS)
    store = MemoryStore(clock.now_ms)
    await store.start()
    await store.transact((), lambda _snapshot: Outcome(None, world))
    authority = Authority(store)
    found: list[tuple[Any, ExplainedDecision | None, Facts | None]] = []
    for op in ops:
        try:
            caller = Caller(f"request of {op.idempotency_key}")
            answer: Any = (await authority.ask(op, tenant="acme", asker=caller)).value
        except CyclesProtocolError as refused:
            answer = refused
        clock.advance(1_000)
        told = await explain(store, f"request of {op.idempotency_key}", tenant="acme")
        if told is None:
            found.append((answer, None, None))
            continue
        [record] = await store.decisions(told.decisions[0].decision_id)
        found.append((answer, told.decisions[0], parse_facts(record.facts)))
    return found


def assert_true(
    answer: Any, told: ExplainedDecision, facts: Facts, policies: dict[str, Policy]
) -> None:
    reason = None if isinstance(answer, Allowed) else answer_reason(answer)
    assert told.reason_code == reason
    failed = [step.name for step in told.steps if step.outcome is Finding.FAILED]
    policy = None if facts.policy is None else policies[facts.policy.policy_id]
    standing_in_the_way = list(obstacles(facts, policy))
    assert failed == standing_in_the_way[:1]
    if reason is None:
        assert {step.outcome for step in told.steps} == {Finding.PASSED}
        return
    [check] = [check for check in CHECKS if check.name == failed[0]]
    assert reason in check.reasons
    place = [step.name for step in told.steps].index(failed[0])
    assert {step.outcome for step in told.steps[:place]} <= {Finding.PASSED}
    assert {step.outcome for step in told.steps[place + 1 :]} <= {Finding.NOT_REACHED}
    message = answer.message if isinstance(answer, Denied) else answer.problem.message
    assert told.steps[place].sentence.rstrip(".") == message.rstrip(".")


def answer_reason(answer: Any) -> str | None:
    reason = answer.reason_code
    assert reason is None or isinstance(reason, str)
    return reason


@given(worlds(), st.lists(questions(), min_size=1, max_size=5))
@settings(max_examples=200, deadline=None)
def test_the_step_that_failed_is_the_reason_of_the_answer(
    world: tuple[Record, ...], ops: list[Reserve | Decide]
) -> None:
    [book] = [record for record in world if isinstance(record, PolicyBook)]
    policies = {policy.policy_id: policy for policy in book.policies}
    for answer, told, facts in asyncio.run(decided(world, ops)):
        is_decision = isinstance(answer, Allowed | Denied) or answer_reason(answer) is not None
        assert (told is not None) == is_decision
        if told is not None:
            assert facts is not None
            assert_true(answer, told, facts, policies)


@given(worlds(), questions())
@settings(max_examples=200, deadline=None)
def test_where_nothing_changed_the_answer_now_is_the_answer_then(
    world: tuple[Record, ...], op: Reserve | Decide
) -> None:
    [(_, told, _)] = asyncio.run(decided(world, [op]))
    if told is not None and (told.decision == "DENY" or told.asked != "reserve"):
        assert (told.now.decision, told.now.reason_code) == (told.decision, told.reason_code)
        assert told.now.message == told.message


def test_every_reason_of_the_ledger_has_its_step() -> None:
    """A reason without one would be explained as if everything had passed."""
    assert {reason for check in CHECKS for reason in check.reasons} == set(ReasonCode)


def test_the_steps_stand_in_the_order_of_the_reasons() -> None:
    order = list(ReasonCode)
    places = [order.index(check.reasons[0]) for check in CHECKS if check.name != "emergency_stop"]
    assert places == sorted(places)

"""fundBudget: five operations, each exact, none that loses or makes an amount."""

from typing import Any, Final

from runcycles_server.conformance.checks.racing import together
from runcycles_server.conformance.client import Answer
from runcycles_server.conformance.expecting import done, expect, refused, same
from runcycles_server.conformance.registry import Topic
from runcycles_server.conformance.setups import Budget, budgets
from runcycles_server.conformance.stand import Stand, fresh, tokens

topic = Topic()
check = topic.check

INDEBTED: Final = budgets(Budget(allocated=900, overdraft_limit=60))


async def _fund(stand: Stand, operation: str, amount: int, /, **changes: Any) -> Answer:
    body = {"operation": operation, "amount": tokens(amount), **changes}
    return await stand.govern_budget("POST", "/fund", body, tenant_id=stand.tenant)


async def _in_debt(stand: Stand) -> str:
    """Allocated 900, reserved 50, spent 850, debt 50; the reservation that is held."""
    reservation = await stand.held(50)
    done(await stand.record(900, overage_policy="ALLOW_WITH_OVERDRAFT"), 201)
    await stand.shows(allocated=900, remaining=-50, reserved=50, spent=850, debt=50)
    return reservation


@check("GC-FUND-001")
async def credit_adds(stand: Stand) -> None:
    answer = done(await _fund(stand, "CREDIT", 200))
    same(answer["previous_remaining"]["amount"], 1_000, "previous_remaining")
    same(answer["new_remaining"]["amount"], 1_200, "new_remaining")
    same(answer["new_allocated"]["amount"], 1_200, "new_allocated")
    await stand.shows(allocated=1_200, remaining=1_200)


@check("GC-FUND-002")
async def debit_takes(stand: Stand) -> None:
    done(await _fund(stand, "DEBIT", 1_000))
    await stand.shows(allocated=0, remaining=0)


@check("GC-FUND-003")
async def debit_takes_only_what_remains(stand: Stand) -> None:
    await stand.held(1)
    refused(await _fund(stand, "DEBIT", 1_000), 409, "BUDGET_EXCEEDED")
    await stand.shows(allocated=1_000, remaining=999, reserved=1)


@check("GC-FUND-004", INDEBTED)
async def reset_sets_the_allocation_alone(stand: Stand) -> None:
    await _in_debt(stand)
    done(await _fund(stand, "RESET", 700))
    await stand.shows(allocated=700, remaining=-250, reserved=50, spent=850, debt=50)


@check("GC-FUND-005", INDEBTED)
async def reset_spent_begins_a_period(stand: Stand) -> None:
    reservation = await _in_debt(stand)
    done(await _fund(stand, "RESET_SPENT", 1_000))
    await stand.shows(allocated=1_000, remaining=900, reserved=50, spent=0, debt=50)
    done(await stand.commit(reservation, 40))
    await stand.shows(allocated=1_000, remaining=910, reserved=0, spent=40, debt=50)


@check("GC-FUND-006")
async def reset_spent_may_say_what_was_spent(stand: Stand) -> None:
    done(await _fund(stand, "RESET_SPENT", 1_000, spent=tokens(300)))
    await stand.shows(allocated=1_000, remaining=700, spent=300)


@check("GC-FUND-007", INDEBTED)
async def repaying_credits_what_is_left_over(stand: Stand) -> None:
    await _in_debt(stand)
    done(await _fund(stand, "REPAY_DEBT", 30))
    await stand.shows(allocated=900, remaining=-20, reserved=50, spent=850, debt=20)
    answer = done(await _fund(stand, "REPAY_DEBT", 50))
    same(answer["new_debt"]["amount"], 0, "new_debt")
    await stand.shows(allocated=930, remaining=30, reserved=50, spent=850, debt=0)


@check("GC-FUND-008")
async def a_key_funds_once(stand: Stand) -> None:
    key = fresh()
    first = done(await _fund(stand, "CREDIT", 200, idempotency_key=key))
    again = done(await _fund(stand, "CREDIT", 200, idempotency_key=key))
    same(again.json, first.json, "the answer to the replay")
    answer = await _fund(stand, "CREDIT", 201, idempotency_key=key)
    refused(answer, 409, "IDEMPOTENCY_MISMATCH")
    await stand.shows(remaining=1_200)


@check("GC-FUND-009", budgets(Budget(frozen=True)))
async def a_frozen_budget_takes_no_funds(stand: Stand) -> None:
    refused(await _fund(stand, "CREDIT", 1), 409, "BUDGET_FROZEN")
    await stand.shows(remaining=1_000)


@check("GC-FUND-010")
async def another_unit_is_a_mismatch(stand: Stand) -> None:
    answer = await _fund(stand, "CREDIT", 1, amount=tokens(1, "CREDITS"))
    refused(answer, 400, "UNIT_MISMATCH")


@check("GC-FUND-011")
async def an_unknown_budget_is_404(stand: Stand) -> None:
    body = {"operation": "CREDIT", "amount": tokens(1)}
    answer = await stand.govern_budget(
        "POST", "/fund", body, below="agent:none", tenant_id=stand.tenant
    )
    refused(answer, 404, "BUDGET_NOT_FOUND")


@check("GC-FUND-012")
async def a_body_is_read_strictly(stand: Stand) -> None:
    wrong: dict[str, Any]
    for wrong in (
        {"operation": "STEAL"},
        {"amount": tokens(-1)},
        {"amount": tokens(1.5)},
        {"amount": tokens(2**63)},
        {"reason": "r" * 513},
        {"note": ""},
        {"idempotency_key": ""},
    ):
        refused(await _fund(stand, "CREDIT", 1, **wrong), 400, "INVALID_REQUEST")
    await stand.shows(remaining=1_000)


@check("GC-FUND-013")
async def nothing_leaves_the_range(stand: Stand) -> None:
    answer = await _fund(stand, "CREDIT", 2**63 - 1)
    expect(400 <= answer.status < 500, f"an allocation above int64 is answered {answer.status}")
    await stand.shows(allocated=1_000, remaining=1_000)


@check("GC-FUND-014")
async def many_at_once_add_up(stand: Stand) -> None:
    for answer in await together(*(_fund(stand, "CREDIT", 7) for _ in range(20))):
        done(answer)
    await stand.shows(allocated=1_140, remaining=1_140)


@check("GC-FUND-015")
async def funds_open_a_scope_that_was_over_its_limit(stand: Stand) -> None:
    done(await stand.record(1_001), 201)
    refused(await stand.reserve(0), 409, "OVERDRAFT_LIMIT_EXCEEDED")
    done(await _fund(stand, "CREDIT", 100))
    expect(not await stand.is_over_limit(), "the scope is still over its limit without any debt")
    await stand.held(100)

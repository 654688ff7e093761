"""commitReservation: what is charged, also where more was used than was held."""

from runcycles_server.conformance.expecting import done, expect, refused, same
from runcycles_server.conformance.registry import Topic
from runcycles_server.conformance.setups import Budget, budgets
from runcycles_server.conformance.stand import Stand, fresh, tokens

topic = Topic()
check = topic.check

POOR_AGENT = budgets(Budget(), Budget(scope="agent:a", allocated=50))
OVERDRAFT = budgets(Budget(allocated=100, overdraft_limit=50))


@check("RT-COMMIT-001")
async def charges_what_was_used(stand: Stand) -> None:
    answer = done(await stand.commit(await stand.held(100), 60))
    same(answer["status"], "COMMITTED", "status")
    same(answer["charged"], tokens(60), "charged")
    await stand.shows(remaining=940, reserved=0, spent=60)


@check("RT-COMMIT-002")
async def gives_the_rest_back(stand: Stand) -> None:
    answer = done(await stand.commit(await stand.held(100), 60))
    same(answer.get("released"), tokens(40), "released")


@check("RT-COMMIT-003")
async def without_a_rest_nothing_is_released(stand: Stand) -> None:
    for amount in (100, 101):
        answer = done(await stand.commit(await stand.held(100), amount))
        expect("released" not in answer, "released is there although nothing was given back")


@check("RT-COMMIT-004")
async def nothing_may_have_been_used(stand: Stand) -> None:
    answer = done(await stand.commit(await stand.held(100), 0))
    same(answer["charged"], tokens(0), "charged")
    await stand.shows(remaining=1_000, reserved=0, spent=0)


@check("RT-COMMIT-005")
async def reject_refuses_any_overage(stand: Stand) -> None:
    reservation = await stand.held(100, overage_policy="REJECT")
    refused(await stand.commit(reservation, 101), 409, "BUDGET_EXCEEDED")
    await stand.shows(remaining=900, reserved=100, spent=0)


@check("RT-COMMIT-006")
async def a_refused_commit_may_be_tried_again(stand: Stand) -> None:
    reservation, key = await stand.held(100, overage_policy="REJECT"), fresh()
    refused(await stand.commit(reservation, 101, idempotency_key=key), 409, "BUDGET_EXCEEDED")
    done(await stand.commit(reservation, 100, idempotency_key=key))
    await stand.shows(remaining=900, reserved=0, spent=100)


@check("RT-COMMIT-007")
async def overage_is_charged_where_there_are_funds(stand: Stand) -> None:
    reservation = await stand.held(100, overage_policy="ALLOW_IF_AVAILABLE")
    same(done(await stand.commit(reservation, 130))["charged"], tokens(130), "charged")
    await stand.shows(remaining=870, reserved=0, spent=130)


@check("RT-COMMIT-008", POOR_AGENT)
async def overage_is_capped_by_the_poorest_scope(stand: Stand) -> None:
    reservation = await stand.held(
        40, subject=stand.subject(agent="a"), overage_policy="ALLOW_IF_AVAILABLE"
    )
    same(done(await stand.commit(reservation, 100))["charged"], tokens(50), "charged")
    await stand.shows(remaining=950, reserved=0, spent=50)
    await stand.shows("agent:a", remaining=0, reserved=0, spent=50, debt=0)


@check("RT-COMMIT-009", POOR_AGENT)
async def a_capped_scope_is_over_its_limit(stand: Stand) -> None:
    done(await stand.commit(await stand.held(40, subject=stand.subject(agent="a")), 100))
    expect(await stand.is_over_limit("agent:a"), "the scope that was short is not marked")
    expect(not await stand.is_over_limit(), "a scope that had enough is marked as over its limit")


@check("RT-COMMIT-010", OVERDRAFT)
async def overdraft_books_debt(stand: Stand) -> None:
    reservation = await stand.held(60, overage_policy="ALLOW_WITH_OVERDRAFT")
    same(done(await stand.commit(reservation, 120))["charged"], tokens(120), "charged")
    await stand.shows(remaining=-20, reserved=0, spent=100, debt=20)


@check("RT-COMMIT-011", OVERDRAFT)
async def debt_may_reach_its_limit(stand: Stand) -> None:
    reservation = await stand.held(60, overage_policy="ALLOW_WITH_OVERDRAFT")
    done(await stand.commit(reservation, 150))
    await stand.shows(remaining=-50, debt=50)
    expect(not await stand.is_over_limit(), "debt at its limit is marked as over the limit")


@check("RT-COMMIT-012", OVERDRAFT)
async def debt_may_not_pass_its_limit(stand: Stand) -> None:
    reservation, key = await stand.held(60, overage_policy="ALLOW_WITH_OVERDRAFT"), fresh()
    over = await stand.commit(reservation, 151, idempotency_key=key)
    refused(over, 409, "OVERDRAFT_LIMIT_EXCEEDED")
    await stand.shows(remaining=40, reserved=60, spent=0, debt=0)
    done(await stand.commit(reservation, 150, idempotency_key=key))


@check("RT-COMMIT-013")
async def overdraft_without_a_limit_caps(stand: Stand) -> None:
    reservation = await stand.held(10, overage_policy="ALLOW_WITH_OVERDRAFT")
    same(done(await stand.commit(reservation, 1_200))["charged"], tokens(1_000), "charged")
    await stand.shows(remaining=0, spent=1_000, debt=0)


@check("RT-COMMIT-014", budgets(Budget(allocated=100)))
async def without_a_policy_what_is_available_is_charged(stand: Stand) -> None:
    answer = done(await stand.commit(await stand.held(60), 120))
    same(answer["charged"], tokens(100), "charged")


@check("RT-COMMIT-015")
async def another_unit_is_a_mismatch(stand: Stand) -> None:
    reservation = await stand.held(100)
    answer = await stand.commit(reservation, 0, actual=tokens(1, "CREDITS"))
    refused(answer, 400, "UNIT_MISMATCH")
    await stand.shows(remaining=900, reserved=100)


@check("RT-COMMIT-016")
async def a_committed_one_is_finalized(stand: Stand) -> None:
    reservation = await stand.held(100)
    done(await stand.commit(reservation, 60))
    refused(await stand.commit(reservation, 60), 409, "RESERVATION_FINALIZED")
    await stand.shows(remaining=940, reserved=0, spent=60)


@check("RT-COMMIT-017")
async def a_released_one_is_finalized(stand: Stand) -> None:
    reservation = await stand.held(100)
    done(await stand.release(reservation))
    refused(await stand.commit(reservation, 60), 409, "RESERVATION_FINALIZED")
    await stand.shows(remaining=1_000, reserved=0, spent=0)


@check("RT-COMMIT-018")
async def an_unknown_one_is_404(stand: Stand) -> None:
    refused(await stand.commit("never-was", 1), 404, "NOT_FOUND")


@check("RT-COMMIT-019")
async def metrics_and_metadata_are_taken(stand: Stand) -> None:
    metrics = {
        "tokens_input": 1,
        "tokens_output": 0,
        "latency_ms": 5,
        "model_version": "m" * 128,
        "custom": {"any": ["thing", 1, None]},
    }
    reservation = await stand.held(100)
    done(await stand.commit(reservation, 1, metrics=metrics, metadata={"a": {"b": [1]}}))


@check("RT-COMMIT-020")
async def shows_balances_as_they_are_now(stand: Stand) -> None:
    answer = done(await stand.commit(await stand.held(100), 60))
    for row in answer.get("balances") or ():
        same(row["remaining"]["amount"], 940, "remaining in the answer")

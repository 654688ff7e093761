"""decide and createEvent."""

from runcycles_server.conformance.expecting import denied, done, expect, refused, same
from runcycles_server.conformance.registry import Topic
from runcycles_server.conformance.setups import POOR, Budget, budgets
from runcycles_server.conformance.stand import Stand, tokens

topic = Topic()
check = topic.check

FROZEN = budgets(Budget(frozen=True))
OVERDRAFT = budgets(Budget(allocated=100, overdraft_limit=50))
ROOT_AND_AGENT = budgets(Budget(), Budget(scope="agent:a", allocated=50))


@check("RT-DECIDE-001")
async def allows_and_holds_nothing(stand: Stand) -> None:
    same(done(await stand.decide(1_000))["decision"], "ALLOW", "decision")
    await stand.shows(remaining=1_000, reserved=0, spent=0)


@check("RT-DECIDE-002")
async def denies_with_200_and_a_reason(stand: Stand) -> None:
    denied(await stand.decide(1_001), "BUDGET_EXCEEDED")


@check("RT-DECIDE-003", POOR)
async def without_a_budget_is_denied(stand: Stand) -> None:
    denied(await stand.decide(1), "BUDGET_NOT_FOUND")


@check("RT-DECIDE-004")
async def another_unit_is_a_mismatch(stand: Stand) -> None:
    refused(await stand.decide(estimate=tokens(1, "CREDITS")), 400, "UNIT_MISMATCH")


@check("RT-DECIDE-005", FROZEN)
async def a_frozen_budget_is_denied(stand: Stand) -> None:
    denied(await stand.decide(1), "BUDGET_FROZEN")


@check("RT-DECIDE-006")
async def an_over_limit_scope_is_denied(stand: Stand) -> None:
    done(await stand.commit(await stand.held(10), 1_001))
    denied(await stand.decide(0), "OVERDRAFT_LIMIT_EXCEEDED")


@check("RT-DECIDE-007")
async def names_the_scopes(stand: Stand) -> None:
    for amount in (1, 1_001):
        answer = done(await stand.decide(amount, subject=stand.subject(agent="a")))
        wanted = [stand.scope(), stand.scope("agent:a")]
        same(answer["affected_scopes"], wanted, "affected_scopes")


@check("RT-DECIDE-008")
async def agrees_with_reserve(stand: Stand) -> None:
    for amount in (999, 1_000, 1_001):
        says = done(await stand.decide(amount))["decision"] == "ALLOW"
        answer = await stand.reserve(amount)
        same(says, answer.status == 200, f"decide agrees with reserve about {amount}")
        if answer.status == 200:
            done(await stand.release(str(answer["reservation_id"])))


@check("RT-EVENT-001")
async def books_spend(stand: Stand) -> None:
    answer = done(await stand.record(100), 201)
    same(answer["status"], "APPLIED", "status")
    expect(bool(answer["event_id"]), "event_id is empty")
    await stand.shows(remaining=900, reserved=0, spent=100)


@check("RT-EVENT-002", ROOT_AND_AGENT)
async def books_in_every_scope(stand: Stand) -> None:
    done(await stand.record(30, subject=stand.subject(agent="a")), 201)
    await stand.shows(remaining=970, spent=30)
    await stand.shows("agent:a", remaining=20, spent=30)


@check("RT-EVENT-003", ROOT_AND_AGENT)
async def reject_books_in_none_where_one_lacks(stand: Stand) -> None:
    subject = stand.subject(agent="a")
    answer = await stand.record(51, subject=subject, overage_policy="REJECT")
    refused(answer, 409, "BUDGET_EXCEEDED")
    await stand.shows(remaining=1_000, spent=0)
    await stand.shows("agent:a", remaining=50, spent=0)


@check("RT-EVENT-004")
async def reject_takes_what_remains(stand: Stand) -> None:
    done(await stand.record(1_000, overage_policy="REJECT"), 201)
    await stand.shows(remaining=0, spent=1_000)


@check("RT-EVENT-005")
async def a_capped_event_says_what_it_charged(stand: Stand) -> None:
    answer = done(await stand.record(1_500, overage_policy="ALLOW_IF_AVAILABLE"), 201)
    same(answer["charged"], tokens(1_000), "charged")
    await stand.shows(remaining=0, spent=1_000, debt=0)
    expect(await stand.is_over_limit(), "a capped charge did not mark the scope as over its limit")


@check("RT-EVENT-006")
async def an_uncapped_event_says_no_charge(stand: Stand) -> None:
    expect("charged" not in done(await stand.record(1), 201), "charged is there without a cap")


@check("RT-EVENT-007", OVERDRAFT)
async def overdraft_books_debt_up_to_the_limit(stand: Stand) -> None:
    done(await stand.record(150, overage_policy="ALLOW_WITH_OVERDRAFT"), 201)
    await stand.shows(remaining=-50, spent=100, debt=50)


@check("RT-EVENT-008", OVERDRAFT)
async def debt_may_not_pass_its_limit(stand: Stand) -> None:
    answer = await stand.record(151, overage_policy="ALLOW_WITH_OVERDRAFT")
    refused(answer, 409, "OVERDRAFT_LIMIT_EXCEEDED")
    await stand.shows(remaining=100, spent=0, debt=0)


@check("RT-EVENT-009", FROZEN)
async def a_frozen_budget_takes_none(stand: Stand) -> None:
    refused(await stand.record(1), 409, "BUDGET_FROZEN")


@check("RT-EVENT-010", POOR)
async def an_event_without_a_budget_is_404(stand: Stand) -> None:
    refused(await stand.record(1), 404, "NOT_FOUND")


@check("RT-EVENT-011")
async def an_event_in_another_unit_is_a_mismatch(stand: Stand) -> None:
    refused(await stand.record(actual=tokens(1, "CREDITS")), 400, "UNIT_MISMATCH")


@check("RT-EVENT-012")
async def without_a_policy_what_is_available_is_charged(stand: Stand) -> None:
    same(done(await stand.record(1_001), 201)["charged"], tokens(1_000), "charged")


@check("RT-EVENT-013")
async def the_clients_time_decides_nothing(stand: Stand) -> None:
    for moment in (0, 2**53):
        done(await stand.record(1, client_time_ms=moment), 201)
    await stand.shows(remaining=998, spent=2)


@check("RT-EVENT-014")
async def metrics_and_metadata_are_taken(stand: Stand) -> None:
    answer = await stand.record(1, metrics={"tokens_input": 1}, metadata={"a": [1]})
    done(answer, 201)

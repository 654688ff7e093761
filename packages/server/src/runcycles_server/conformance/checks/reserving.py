"""createReservation: what a reservation holds, and when it is refused."""

from runcycles_server.conformance.client import Answer
from runcycles_server.conformance.expecting import denied, done, expect, refused, same
from runcycles_server.conformance.registry import Topic
from runcycles_server.conformance.setups import POOR, Budget, Setup, budgets
from runcycles_server.conformance.stand import Stand, tokens

topic = Topic()
check = topic.check

ROOT_AND_AGENT = budgets(Budget(allocated=1_000), Budget(scope="agent:a", allocated=50))
FROZEN = budgets(Budget(frozen=True))
FROZEN_AGENT = budgets(Budget(), Budget(scope="agent:a", frozen=True))
TWO_UNITS = budgets(
    Budget(unit="USD_MICROCENTS"), Budget(scope="agent:a", unit="TOKENS", allocated=50)
)
INT64_MAX = 2**63 - 1
HUGE = budgets(Budget(allocated=INT64_MAX))


@check("RT-RESERVE-001")
async def allows(stand: Stand) -> None:
    answer = done(await stand.reserve(100))
    same(answer["decision"], "ALLOW", "decision")
    expect(bool(answer["reservation_id"]), "reservation_id is empty")
    expect(answer["expires_at_ms"] > 0, "expires_at_ms is no moment")
    same(answer["affected_scopes"], [stand.scope()], "affected_scopes")


@check("RT-RESERVE-002", ROOT_AND_AGENT)
async def holds_in_every_scope(stand: Stand) -> None:
    await stand.held(30, subject=stand.subject(agent="a"))
    await stand.shows(remaining=970, reserved=30, spent=0)
    await stand.shows("agent:a", remaining=20, reserved=30, spent=0)


@check("RT-RESERVE-003", ROOT_AND_AGENT)
async def holds_in_none_where_one_lacks(stand: Stand) -> None:
    refused(await stand.reserve(51, subject=stand.subject(agent="a")), 409, "BUDGET_EXCEEDED")
    await stand.shows(remaining=1_000, reserved=0)
    await stand.shows("agent:a", remaining=50, reserved=0)


@check("RT-RESERVE-004")
async def refuses_more_than_remains(stand: Stand) -> None:
    refused(await stand.reserve(1_001), 409, "BUDGET_EXCEEDED")
    await stand.shows(remaining=1_000, reserved=0)


@check("RT-RESERVE-005")
async def allows_exactly_what_remains(stand: Stand) -> None:
    await stand.held(1_000)
    await stand.shows(remaining=0, reserved=1_000)


@check("RT-RESERVE-006")
async def no_policy_borrows_while_reserving(stand: Stand) -> None:
    for policy in ("REJECT", "ALLOW_IF_AVAILABLE", "ALLOW_WITH_OVERDRAFT"):
        answer = await stand.reserve(1_001, overage_policy=policy)
        refused(answer, 409, "BUDGET_EXCEEDED")


@check("RT-RESERVE-007")
async def nothing_may_be_reserved(stand: Stand) -> None:
    await stand.held(0)
    await stand.shows(remaining=1_000, reserved=0)


@check("RT-RESERVE-008")
async def says_what_is_reserved(stand: Stand) -> None:
    same(done(await stand.reserve(7))["reserved"], tokens(7), "reserved")


@check("RT-RESERVE-009")
async def says_how_long_it_lives(stand: Stand) -> None:
    left = done(await stand.reserve(7, ttl_ms=60_000))["remaining_ttl_ms"]
    expect(0 < left <= 60_000, f"remaining_ttl_ms of a lease of 60000 ms is {left}")


@check("RT-RESERVE-010")
async def lives_as_long_as_asked(stand: Stand) -> None:
    for ttl_ms in (1_000, 30_000):
        row = done(await stand.row(await stand.held(1, ttl_ms=ttl_ms)))
        same(row["expires_at_ms"] - row["created_at_ms"], ttl_ms, "length of the lease")


@check("RT-RESERVE-011")
async def lives_a_minute_by_default(stand: Stand) -> None:
    row = done(await stand.row(await stand.held(1)))
    same(row["expires_at_ms"] - row["created_at_ms"], 60_000, "length of the default lease")


@check("RT-RESERVE-012")
async def every_reservation_has_its_own_id(stand: Stand) -> None:
    found = {await stand.held(1) for _ in range(5)}
    same(len(found), 5, "ids of five reservations")


@check("RT-RESERVE-013")
async def shows_balances_as_they_are_now(stand: Stand) -> None:
    answer = done(await stand.reserve(100))
    for row in answer.get("balances") or ():
        same(row["remaining"]["amount"], 900, "remaining in the answer")


@check("RT-RESERVE-014", POOR)
async def without_a_budget_is_404(stand: Stand) -> None:
    refused(await stand.reserve(1), 404, "NOT_FOUND")


@check("RT-RESERVE-015")
async def another_unit_is_a_mismatch(stand: Stand) -> None:
    refused(await stand.reserve(estimate=tokens(1, "CREDITS")), 400, "UNIT_MISMATCH")


@check("RT-RESERVE-016")
async def a_mismatch_says_which_units_there_are(stand: Stand) -> None:
    answer = refused(await stand.reserve(estimate=tokens(1, "CREDITS")), 400, "UNIT_MISMATCH")
    details = answer["details"]
    same(details["scope"], stand.scope(), "details.scope")
    same(details["requested_unit"], "CREDITS", "details.requested_unit")
    same(details["expected_units"], ["TOKENS"], "details.expected_units")


@check("RT-RESERVE-017", FROZEN)
async def a_frozen_budget_takes_none(stand: Stand) -> None:
    refused(await stand.reserve(1), 409, "BUDGET_FROZEN")


@check("RT-RESERVE-018", FROZEN_AGENT)
async def a_frozen_scope_below_stops_it_too(stand: Stand) -> None:
    refused(await stand.reserve(1, subject=stand.subject(agent="a")), 409, "BUDGET_FROZEN")
    await stand.shows(remaining=1_000, reserved=0)
    await stand.held(1)


@check("RT-RESERVE-019")
async def an_over_limit_scope_takes_none(stand: Stand) -> None:
    reservation = await stand.held(10)
    done(await stand.commit(reservation, 1_001))
    expect(await stand.is_over_limit(), "a capped charge did not mark the scope as over its limit")
    refused(await stand.reserve(0), 409, "OVERDRAFT_LIMIT_EXCEEDED")


@check("RT-RESERVE-020", TWO_UNITS)
async def a_scope_without_the_unit_is_skipped(stand: Stand) -> None:
    await stand.held(10, subject=stand.subject(agent="a"))
    await stand.shows("agent:a", remaining=40)
    await stand.shows(unit="USD_MICROCENTS", remaining=1_000)


@check("RT-RESERVE-021", HUGE)
async def amounts_are_exact_up_to_int64(stand: Stand) -> None:
    await stand.shows(remaining=INT64_MAX)
    answer = done(await stand.reserve(2**53 + 1))
    same(answer.get("reserved") or tokens(2**53 + 1), tokens(2**53 + 1), "reserved")
    await stand.shows(remaining=INT64_MAX - 2**53 - 1)
    await stand.held(INT64_MAX - 2**53 - 1)
    await stand.shows(remaining=0, reserved=INT64_MAX)


@check("RT-RESERVE-022")
async def a_dry_run_holds_nothing(stand: Stand) -> None:
    answer = done(await stand.reserve(100, dry_run=True))
    same(answer["decision"], "ALLOW", "decision")
    _has_no_lease(answer)
    await stand.shows(remaining=1_000, reserved=0)


@check("RT-RESERVE-023")
async def a_dry_run_says_no_with_200(stand: Stand) -> None:
    answer = denied(await stand.reserve(1_001, dry_run=True))
    _has_no_lease(answer)


@check("RT-RESERVE-024")
async def a_dry_run_says_why(stand: Stand) -> None:
    denied(await stand.reserve(1_001, dry_run=True), "BUDGET_EXCEEDED")


@check("RT-RESERVE-025")
async def a_dry_run_names_the_scopes(stand: Stand) -> None:
    for amount in (1, 1_001):
        answer = done(await stand.reserve(amount, dry_run=True))
        same(answer["affected_scopes"], [stand.scope()], "affected_scopes")


@check("RT-RESERVE-026", POOR)
async def a_dry_run_without_a_budget_is_denied(stand: Stand) -> None:
    denied(await stand.reserve(1, dry_run=True), "BUDGET_NOT_FOUND")


@check("RT-RESERVE-027")
async def a_dry_run_in_another_unit_is_a_mismatch(stand: Stand) -> None:
    answer = await stand.reserve(estimate=tokens(1, "CREDITS"), dry_run=True)
    refused(answer, 400, "UNIT_MISMATCH")


@check("RT-RESERVE-028", FROZEN)
async def a_dry_run_on_a_frozen_budget_is_denied(stand: Stand) -> None:
    denied(await stand.reserve(1, dry_run=True), "BUDGET_FROZEN")


@check("RT-RESERVE-029", Setup(settings={"max_reservation_ttl_ms": 5_000}))
async def the_tenants_longest_lease_caps_in_silence(stand: Stand) -> None:
    row = done(await stand.row(await stand.held(1, ttl_ms=60_000)))
    same(row["expires_at_ms"] - row["created_at_ms"], 5_000, "length of the lease")


@check("RT-RESERVE-030", Setup(settings={"default_reservation_ttl_ms": 7_000}))
async def the_tenants_default_lease_counts(stand: Stand) -> None:
    row = done(await stand.row(await stand.held(1)))
    same(row["expires_at_ms"] - row["created_at_ms"], 7_000, "length of the lease")


def _has_no_lease(answer: Answer) -> None:
    for name in ("reservation_id", "expires_at_ms", "remaining_ttl_ms"):
        expect(name not in answer, f"a dry run has {name}")

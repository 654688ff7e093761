"""Policies: caps, leases, overage and rates for all that a pattern matches."""

from typing import Any, Final

from runcycles_server.conformance.expecting import done, expect, refused, same
from runcycles_server.conformance.registry import Topic
from runcycles_server.conformance.setups import POOR
from runcycles_server.conformance.stand import Stand, tokens

topic = Topic()
check = topic.check

PATH: Final = "/v1/admin/policies"


async def policy(stand: Stand, below: str = "", **terms: Any) -> str:
    """The id of a new policy."""
    body = {"tenant_id": stand.tenant, "name": "p", "scope_pattern": stand.scope(below), **terms}
    return str(done(await stand.govern("POST", PATH, body), 201)["policy_id"])


@check("GC-POLICY-001", POOR)
async def a_new_one_is_active(stand: Stand) -> None:
    made = await policy(stand, description="d", priority=7)
    query = {"tenant_id": stand.tenant}
    (row,) = done(await stand.govern("GET", PATH, query=query))["policies"]
    same((row["policy_id"], row["status"]), (made, "ACTIVE"), "policy_id and status")
    same((row["name"], row["description"], row["priority"]), ("p", "d", 7), "what was said")
    same(row["scope_pattern"], stand.scope(), "scope_pattern")


@check("GC-POLICY-002", POOR)
async def the_operator_names_the_tenant_of_a_list(stand: Stand) -> None:
    refused(await stand.govern("GET", PATH), 400, "INVALID_REQUEST")


@check("GC-POLICY-003")
async def caps_come_with_the_permission(stand: Stand) -> None:
    caps = {"max_tokens": 256, "tool_allowlist": ["search"], "cooldown_ms": 5}
    await policy(stand, caps=caps)
    for answer in (await stand.reserve(1), await stand.decide(1)):
        same(done(answer)["decision"], "ALLOW_WITH_CAPS", "decision")
        same(answer["caps"], caps, "caps")


@check("GC-POLICY-004")
async def its_overage_policy_counts(stand: Stand) -> None:
    await policy(stand, commit_overage_policy="REJECT")
    refused(await stand.commit(await stand.held(10), 11), 409, "BUDGET_EXCEEDED")
    own = await stand.held(10, overage_policy="ALLOW_IF_AVAILABLE")
    same(done(await stand.commit(own, 11))["charged"], tokens(11), "charged")


@check("GC-POLICY-005")
async def its_leases_count(stand: Stand) -> None:
    ttl = {"default_ttl_ms": 9_000, "max_ttl_ms": 20_000, "max_extensions": 0}
    await policy(stand, reservation_ttl_override=ttl)
    for asked, wanted in (({}, 9_000), ({"ttl_ms": 60_000}, 20_000), ({"ttl_ms": 5_000}, 5_000)):
        row = done(await stand.row(await stand.held(1, **asked)))
        same(row["expires_at_ms"] - row["created_at_ms"], wanted, f"length of the lease {asked}")
    refused(await stand.extend(await stand.held(1)), 409, "MAX_EXTENSIONS_EXCEEDED")


@check("GC-POLICY-006")
async def the_highest_priority_counts(stand: Stand) -> None:
    await policy(stand, name="low", priority=1, caps={"max_tokens": 1})
    await policy(stand, name="high", priority=2, caps={"max_tokens": 2})
    same(done(await stand.reserve(1))["caps"], {"max_tokens": 2}, "caps")


@check("GC-POLICY-007")
async def a_disabled_one_does_not_count(stand: Stand) -> None:
    made = await policy(stand, caps={"max_tokens": 1})
    changed = await stand.govern("PATCH", f"{PATH}/{made}", {"status": "DISABLED"})
    same(done(changed)["status"], "DISABLED", "status")
    same(done(await stand.reserve(1))["decision"], "ALLOW", "decision")


@check("GC-POLICY-008")
async def one_outside_of_its_time_does_not_count(stand: Stand) -> None:
    await policy(stand, name="later", caps={"max_tokens": 1}, effective_from="2999-01-01T00:00:00Z")
    await policy(stand, name="over", caps={"max_tokens": 2}, effective_until="2001-01-01T00:00:00Z")
    same(done(await stand.reserve(1))["decision"], "ALLOW", "decision")


@check("GC-POLICY-009")
async def one_beside_the_subject_does_not_count(stand: Stand) -> None:
    await policy(stand, "agent:a", caps={"max_tokens": 1})
    same(done(await stand.reserve(1))["decision"], "ALLOW", "decision")
    answer = await stand.reserve(1, subject=stand.subject(agent="a"))
    same(done(answer)["decision"], "ALLOW_WITH_CAPS", "decision")


@check("GC-POLICY-010")
async def a_rate_is_a_limit(stand: Stand) -> None:
    await policy(stand, rate_limits={"max_reservations_per_minute": 3})
    answers = [await stand.reserve(1) for _ in range(7)]  # six, where a minute begins in between
    over = [answer for answer in answers if answer.status != 200]
    expect(bool(over), "seven reservations passed a limit of three per minute")
    for answer in over:
        refused(answer, 429, "LIMIT_EXCEEDED")
        expect(
            answer.headers.get("retry-after", "").isdigit(), "there is no Retry-After in seconds"
        )
    await stand.shows(remaining=1_000 - (7 - len(over)))


@check("GC-POLICY-011", POOR)
async def an_unknown_one_is_404(stand: Stand) -> None:
    refused(await stand.govern("PATCH", f"{PATH}/never-was", {"name": "x"}), 404, "NOT_FOUND")


@check("GC-POLICY-012", POOR)
async def a_body_is_read_strictly(stand: Stand) -> None:
    good: dict[str, Any] = {
        "tenant_id": stand.tenant,
        "name": "p",
        "scope_pattern": stand.scope(),
    }
    for wrong in (
        {**good, "priority": -1},
        {**good, "caps": {"max_tokens": -1}},
        {**good, "caps": {"max_cost": 1}},
        {**good, "reservation_ttl_override": {"max_ttl_ms": 999}},
        {**good, "rate_limits": {"max_reservations_per_minute": 0}},
        {**good, "colour": "red"},
        {"tenant_id": stand.tenant, "name": "p"},
    ):
        refused(await stand.govern("POST", PATH, wrong), 400, "INVALID_REQUEST")

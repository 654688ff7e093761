"""Action authority: lists of kinds, quotas, and seeing without enforcing."""

from typing import Any, Final

from runcycles_server.conformance.checks.kinds import action
from runcycles_server.conformance.checks.policies import PATH, policy
from runcycles_server.conformance.checks.racing import together
from runcycles_server.conformance.client import Answer
from runcycles_server.conformance.expecting import denied, done, expect, refused, same
from runcycles_server.conformance.registry import Topic
from runcycles_server.conformance.setups import POOR, Setup
from runcycles_server.conformance.stand import Stand, fresh

topic = Topic()
check = topic.check

EMAIL: Final = "message.email.send"
COUNTERS: Final = "/v1/admin/action-quota-counters"
EXTENDED: Final = {"policy_keys": {"host": "example.com"}}
OBSERVING: Final = Setup(settings={"observe_mode": "OBSERVE"})


async def _reserve(stand: Stand, kind: str = EMAIL, run: str = "run-1", **changes: Any) -> Answer:
    subject = stand.subject(dimensions={"run_id": run})
    return await stand.reserve(1, action=action(kind), subject=subject, **changes)


async def _quota(stand: Stand, calls: int = 2, window: str = "per_run", **rule: Any) -> str:
    quota = {"action_kind": EMAIL, "max_calls": calls, "window": window, **rule}
    return await policy(stand, action_quotas=[quota])


@check("EX-LIST-001")
async def a_denied_kind_is_denied(stand: Stand) -> None:
    await policy(stand, denied_action_kinds=["payment.charge"])
    answer = await stand.reserve(1, action=action("payment.charge"))
    refused(answer, 409, "ACTION_KIND_DENIED")
    await stand.held(1)
    await stand.shows(remaining=999)


@check("EX-LIST-002")
async def a_kind_beside_the_allowed_is_denied(stand: Stand) -> None:
    await policy(stand, allowed_action_kinds=["db.query", "llm.completion"])
    refused(await stand.reserve(1, action=action(EMAIL)), 409, "ACTION_KIND_NOT_ALLOWED")
    await stand.held(1)
    await stand.shows(remaining=999)


@check("EX-LIST-003")
async def evaluations_say_it_with_200(stand: Stand) -> None:
    await policy(stand, denied_action_kinds=["payment.charge"])
    charge = action("payment.charge")
    denied(await stand.reserve(1, action=charge, dry_run=True), "ACTION_KIND_DENIED")
    denied(await stand.decide(1, action=charge), "ACTION_KIND_DENIED")


@check("EX-LIST-004")
async def authority_comes_before_the_budget(stand: Stand) -> None:
    await policy(stand, denied_action_kinds=["payment.charge"])
    answer = await stand.reserve(10_000, action=action("payment.charge"))
    refused(answer, 409, "ACTION_KIND_DENIED")


@check("EX-LIST-005", POOR)
async def the_lists_exclude_each_other(stand: Stand) -> None:
    body = {
        "tenant_id": stand.tenant,
        "name": "p",
        "scope_pattern": stand.scope(),
        "allowed_action_kinds": ["db.query"],
        "denied_action_kinds": ["db.write"],
    }
    refused(await stand.govern("POST", PATH, body), 400, "INVALID_REQUEST")


@check("EX-LIST-006")
async def a_list_is_replaced_and_cleared(stand: Stand) -> None:
    made = await policy(stand, denied_action_kinds=["payment.charge"])
    changed = await stand.govern("PATCH", f"{PATH}/{made}", {"denied_action_kinds": []})
    same(done(changed)["denied_action_kinds"], [], "denied_action_kinds")
    await stand.held(1, action=action("payment.charge"))


@check("EX-QUOTA-001")
async def a_quota_counts_reservations(stand: Stand) -> None:
    await _quota(stand)
    for _ in range(2):
        done(await _reserve(stand))
    refused(await _reserve(stand), 409, "ACTION_QUOTA_EXCEEDED")
    done(await _reserve(stand, "llm.completion"))
    await stand.shows(remaining=997)


@check("EX-QUOTA-002")
async def every_run_has_its_own_count(stand: Stand) -> None:
    await _quota(stand, 1)
    done(await _reserve(stand, run="one"))
    done(await _reserve(stand, run="two"))
    refused(await _reserve(stand, run="one"), 409, "ACTION_QUOTA_EXCEEDED")


@check("EX-QUOTA-003")
async def a_run_has_to_be_named(stand: Stand) -> None:
    await _quota(stand)
    refused(await stand.reserve(1, action=action(EMAIL)), 400, "INVALID_REQUEST")
    await stand.held(1)


@check("EX-QUOTA-004")
async def a_release_gives_back_and_a_commit_does_not(stand: Stand) -> None:
    await _quota(stand, 1)
    done(await stand.release(str(done(await _reserve(stand))["reservation_id"])))
    done(await stand.commit(str(done(await _reserve(stand))["reservation_id"]), 1))
    refused(await _reserve(stand), 409, "ACTION_QUOTA_EXCEEDED")


@check("EX-QUOTA-005")
async def a_risk_class_is_counted_together(stand: Stand) -> None:
    rule = {"risk_class": "external_side_effect", "max_calls": 2, "window": "per_day_tumbling"}
    await policy(stand, risk_class_quotas=[rule])
    done(await _reserve(stand, EMAIL))
    done(await _reserve(stand, "http.post"))
    refused(await _reserve(stand, "message.sms.send"), 409, "ACTION_QUOTA_EXCEEDED")
    done(await _reserve(stand, "web.search"))


@check("EX-QUOTA-006")
async def a_filter_skips_what_it_does_not_name(stand: Stand) -> None:
    rule = {"action_kind": "http.post", "max_calls": 1, "window": "per_day_tumbling"}
    await policy(stand, action_quotas=[{**rule, "host_allowlist": ["api.example.com"]}])

    async def post(**keys: str) -> Answer:
        return await stand.reserve(1, action=action("http.post", policy_keys=keys))

    done(await post(host="api.example.com"))
    refused(await post(host="api.example.com"), 409, "ACTION_QUOTA_EXCEEDED")
    done(await post(host="other.example.com"))
    done(await post())


@check("EX-QUOTA-007")
async def a_quota_holds_at_once(stand: Stand) -> None:
    await _quota(stand, 5)
    answers = await together(*(_reserve(stand) for _ in range(20)))
    same(sum(answer.status == 200 for answer in answers), 5, "granted of a quota of 5")
    await stand.shows(remaining=995)


@check("EX-QUOTA-008")
async def what_is_refused_is_not_counted(stand: Stand) -> None:
    await _quota(stand, 1)
    key, subject = fresh(), stand.subject(dimensions={"run_id": "run-1"})
    poor = await stand.reserve(5_000, action=action(EMAIL), subject=subject)
    refused(poor, 409, "BUDGET_EXCEEDED")
    done(await _reserve(stand, dry_run=True))
    for _ in range(2):  # the second is a replay
        done(await _reserve(stand, idempotency_key=key))
    refused(await _reserve(stand), 409, "ACTION_QUOTA_EXCEEDED")


@check("EX-QUOTA-009")
async def counters_can_be_read_and_reset(stand: Stand) -> None:
    await _quota(stand, 1)
    done(await _reserve(stand))
    query = {"tenant_id": stand.tenant}
    (row,) = done(await stand.govern("GET", COUNTERS, query=query))["counters"]
    same((row["used"], row["limit"], row.get("remaining", 0)), (1, 1, 0), "used, limit, remaining")
    same((row["action_kind"], row["window_key"]), (EMAIL, "run-1"), "action_kind and window_key")
    body = {
        "tenant_id": stand.tenant,
        "reason": "a test",
        **{name: row[name] for name in ("scope", "action_kind", "window", "window_key")},
    }
    same(done(await stand.govern("POST", f"{COUNTERS}/reset", body))["previous_used"], 1, "used")
    done(await _reserve(stand))
    refused(await stand.govern("GET", COUNTERS), 400, "INVALID_REQUEST")


@check("EX-QUOTA-010", POOR)
async def a_rule_has_its_limits(stand: Stand) -> None:
    good: dict[str, Any] = {"action_kind": EMAIL, "max_calls": 1, "window": "per_run"}
    for wrong in (
        {**good, "max_calls": 0},
        {**good, "max_calls": 100_001},
        {**good, "window": "per_fortnight"},
        {**good, "action_kind": "message.*"},
        {**good, "threshold_pct": 1.0},
        {**good, "per_run_counter_ttl_ms": 59_999},
        {**good, "window": "per_day_tumbling", "per_run_counter_ttl_ms": 60_000},
    ):
        body = {
            "tenant_id": stand.tenant,
            "name": "p",
            "scope_pattern": stand.scope(),
            "action_quotas": [wrong],
        }
        refused(await stand.govern("POST", PATH, body), 400, "INVALID_REQUEST")


@check("EX-DENY-001")
async def a_denial_says_what_would_allow_it(stand: Stand) -> None:
    made = await policy(stand, denied_action_kinds=["payment.charge"])
    charge = action("payment.charge", **EXTENDED)
    detail = denied(await stand.reserve(1, action=charge, dry_run=True))["deny_detail"]
    same(detail["reason_code"], "ACTION_KIND_DENIED", "deny_detail.reason_code")
    same(detail["blocked_by_policy"], made, "deny_detail.blocked_by_policy")
    expect(bool(detail.get("suggested_fix")), "there is no suggested_fix")


@check("EX-DENY-002")
async def a_quota_says_how_much_is_used(stand: Stand) -> None:
    made = await _quota(stand, 1)
    done(await _reserve(stand))
    answer = refused(await _reserve(stand), 409, "ACTION_QUOTA_EXCEEDED")
    violation = answer["details"]["deny_detail"]["quota_violation"]
    same((violation["used"], violation["limit"]), (1, 1), "used and limit")
    same(violation["action_kind"], EMAIL, "action_kind")
    same((violation["window"], violation["window_key"]), ("per_run", "run-1"), "window")
    same(violation["policy_id"], made, "policy_id")
    expect("risk_class" not in violation, "a rule about a kind has a risk_class")


@check("EX-DENY-003")
async def a_budget_says_what_is_left(stand: Stand) -> None:
    answer = refused(await stand.reserve(1_500), 409, "BUDGET_EXCEEDED")
    detail = answer["details"]["deny_detail"]
    same(detail["blocked_by_scope"], stand.scope(), "blocked_by_scope")
    same(detail["budget_remaining"], 1_000, "budget_remaining")


@check("EX-OBSERVE-001")
async def observing_refuses_nothing_and_holds_nothing(stand: Stand) -> None:
    for amount, decision in ((1, "ALLOW"), (5_000, "DENY")):
        answer = done(await stand.reserve(amount, observe_mode="OBSERVE"))
        same(answer["decision"], decision, "decision")
        for name in ("reservation_id", "expires_at_ms"):
            expect(name not in answer, f"what only observes has {name}")
    await stand.shows(remaining=1_000, reserved=0)


@check("EX-OBSERVE-002", OBSERVING)
async def a_tenant_may_observe(stand: Stand) -> None:
    await _quota(stand, 1)
    for _ in range(3):
        same(done(await _reserve(stand))["decision"], "ALLOW", "decision")
    await stand.shows(remaining=1_000, reserved=0)
    done(await _reserve(stand, observe_mode="ENFORCE"))
    denied(await _reserve(stand), "ACTION_QUOTA_EXCEEDED")
    await stand.shows(remaining=999, reserved=1)


@check("EX-OBSERVE-003")
async def an_unknown_mode_is_400(stand: Stand) -> None:
    refused(await stand.reserve(1, observe_mode="WATCH"), 400, "INVALID_REQUEST")


@check("EX-OBSERVE-004")
async def a_tenant_may_change_its_mind(stand: Stand) -> None:
    path = f"/v1/admin/tenants/{stand.tenant}"
    reservation = await stand.held(10)
    done(await stand.govern("PATCH", path, {"observe_mode": "OBSERVE"}))
    denied(await stand.reserve(5_000), "BUDGET_EXCEEDED")
    done(await stand.commit(reservation, 10))
    done(await stand.govern("PATCH", path, {"observe_mode": "ENFORCE"}))
    refused(await stand.reserve(5_000), 409, "BUDGET_EXCEEDED")

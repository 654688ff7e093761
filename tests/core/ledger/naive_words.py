"""The words of the naive models: what is asked and answered, as plain dicts."""

from typing import Any, NamedTuple

LEVELS = ["tenant", "workspace", "app", "workflow", "agent", "toolset"]
UNITS = ["USD_MICROCENTS", "TOKENS", "CREDITS", "RISK_POINTS"]
DAY = 24 * 60 * 60 * 1000
LARGEST = 9223372036854775807

BudgetKey = tuple[str, str, str]  # whose, which scope, which unit
Body = dict[str, Any]


class Refusal(NamedTuple):
    code: str
    reason: str | None = None  # where a dry run would be told DENY
    scope: str | None = None
    remaining: int | None = None
    policy: str | None = None
    quota: Body | None = None
    retry: int | None = None


Reply = Body | Refusal


def scopes_of(subject: Body) -> list[str]:
    parts = [f"{level}:{subject[level].lower()}" for level in LEVELS if level in subject]
    return ["/".join(parts[: depth + 1]) for depth in range(len(parts))]


def plain(ask: Body) -> Body:
    """A request without the two defaults that may be said or left out."""
    defaults = {"dry_run": False, "grace_period_ms": 5000}
    return {name: value for name, value in ask.items() if defaults.get(name) != value}


def deny(refusal: Refusal, scopes: list[str]) -> Body:
    detail: Body = {"reason_code": refusal.reason, "blocked_by_scope": refusal.scope}
    if refusal.remaining is not None:
        detail["budget_remaining"] = refusal.remaining
    if refusal.policy is not None:
        detail["blocked_by_policy"] = refusal.policy
    if refusal.quota is not None:
        detail["quota_violation"] = refusal.quota
    body: Body = {"decision": "DENY", "affected_scopes": scopes}
    if refusal.retry is not None:
        body["retry_after_ms"] = refusal.retry
    return {**body, "reason_code": refusal.reason, "deny_detail": detail}

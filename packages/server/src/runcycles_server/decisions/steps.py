"""A decision as the steps in which it was made, each with a sentence about what it saw.

The steps stand in the order in which the ledger checks. It stops at the first that fails, and the
reason of a denial says which one that was; so all before it passed, and nothing after it was
looked at.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from runcycles.errors import ReasonCode
from runcycles_server.decisions.bodies import Finding, Step
from runcycles_server.decisions.facts import Facts, SeenAccount, SeenLimit


@dataclass(frozen=True, slots=True)
class Check:
    """One check of the ledger: with which reasons it fails, and what there is to say if not."""

    name: str
    reasons: tuple[ReasonCode, ...]
    sentence: Callable[[Facts], str]

    def fails(self, facts: Facts, reason: str | None) -> bool:
        """Whether this is where a decision with this reason fell."""
        if self.name == STOP:
            return reason in self.reasons and facts.stop is not None
        return reason in self.reasons


def steps_of(facts: Facts, reason: str | None) -> tuple[Step, ...]:
    """Every check in order; the one that failed says what the refusal said."""
    found: list[Step] = []
    has_fallen = False
    for check in CHECKS:
        if has_fallen:
            finding, sentence = Finding.NOT_REACHED, "Not looked at any more."
        elif check.fails(facts, reason):
            has_fallen, finding = True, Finding.FAILED
            sentence = "" if facts.refusal is None else f"{facts.refusal.message.rstrip('.')}."
        else:
            finding, sentence = Finding.PASSED, check.sentence(facts)
        found.append(Step(name=check.name, outcome=finding, sentence=sentence))
    return tuple(found)


def _tenant(facts: Facts) -> str:
    if facts.tenant is None:
        return "Nothing is said about the tenant, so nothing restricts it."
    return f"The tenant is {facts.tenant}."


def _stop(facts: Facts) -> str:
    return f"No emergency stop covers {facts.scope}."


def _denied_kinds(facts: Facts) -> str:
    if facts.policy is None:
        return f"No policy covers {facts.scope}, so nothing denies {facts.kind}."
    return f"{_policy(facts)} does not deny {facts.kind}."


def _allowed_kinds(facts: Facts) -> str:
    if facts.policy is None:
        return f"No policy covers {facts.scope}, so every kind is allowed."
    return f"{_policy(facts)} allows {facts.kind}."


def _quotas(facts: Facts) -> str:
    if not facts.quotas:
        return f"No quota counts {facts.kind}, nor actions that are {facts.risk_class}."
    return f"{'; '.join(map(_used, facts.quotas))}."


def _rate_limit(facts: Facts) -> str:
    if facts.rate is None:
        return "The number of reservations in a minute is not limited."
    return f"{_used(facts.rate)}."


def _budgets(facts: Facts) -> str:
    return f"There are {facts.unit} budgets: {', '.join(each.scope for each in facts.accounts)}."


def _status(facts: Facts) -> str:
    return _each(facts, lambda each: f"{each.scope} is {each.status}")


def _overdraft(facts: Facts) -> str:
    return _each(
        facts, lambda each: f"{each.scope} owes {each.debt} of at most {each.overdraft_limit}"
    )


def _debt(facts: Facts) -> str:
    return _each(facts, lambda each: f"{each.scope} owes {each.debt}")


def _remaining(facts: Facts) -> str:
    return _each(
        facts,
        lambda each: (
            f"{each.scope} has {each.remaining} left of {each.allocated} (spent {each.spent}, "
            f"reserved {each.reserved}, owed {each.debt}), and {facts.amount} {facts.unit} were "
            "asked for"
        ),
    )


def _each(facts: Facts, say: Callable[[SeenAccount], str]) -> str:
    return f"{'; '.join(map(say, facts.accounts))}."


def _policy(facts: Facts) -> str:
    assert facts.policy is not None
    policy = facts.policy
    return (
        f"The policy {policy.name!r} ({policy.policy_id}, priority {policy.priority}, "
        f"for {policy.scope})"
    )


def _used(limit: SeenLimit) -> str:
    return (
        f"{limit.used} of {limit.limit} used: {limit.counted} {limit.window} at {limit.scope} "
        f"({limit.bucket})"
    )


STOP: Final = "emergency_stop"
CHECKS: Final = (
    Check("tenant", (ReasonCode.TENANT_CLOSED, ReasonCode.TENANT_SUSPENDED), _tenant),
    Check(STOP, (ReasonCode.BUDGET_FROZEN,), _stop),
    Check("denied_kinds", (ReasonCode.ACTION_KIND_DENIED,), _denied_kinds),
    Check("allowed_kinds", (ReasonCode.ACTION_KIND_NOT_ALLOWED,), _allowed_kinds),
    Check("quotas", (ReasonCode.ACTION_QUOTA_EXCEEDED,), _quotas),
    Check("rate_limit", (ReasonCode.LIMIT_EXCEEDED,), _rate_limit),
    Check("budget_exists", (ReasonCode.BUDGET_NOT_FOUND,), _budgets),
    Check("budget_not_frozen", (ReasonCode.BUDGET_FROZEN,), _status),
    Check("budget_not_closed", (ReasonCode.BUDGET_CLOSED,), _status),
    Check("within_overdraft", (ReasonCode.OVERDRAFT_LIMIT_EXCEEDED,), _overdraft),
    Check("no_debt", (ReasonCode.DEBT_OUTSTANDING,), _debt),
    Check("enough_remaining", (ReasonCode.BUDGET_EXCEEDED,), _remaining),
)
"""In the order in which the ledger checks."""

"""Faults about money, time and many at once."""

import json
import secrets
import time
from collections import Counter
from dataclasses import replace
from typing import Any

from anyio.lowlevel import checkpoint

from tests.conformance.fault import Broken, always, answering, hearing
from tests.conformance.tampering import Answered, Asked, Forward, Tamper


def made_up(asked: Asked) -> Answered:
    """A permission without a reservation behind it."""
    estimate = asked.said["estimate"]
    tenant = asked.said["subject"].get("tenant", "")
    body = {
        "decision": "ALLOW",
        "reservation_id": secrets.token_hex(16),
        "affected_scopes": [f"tenant:{tenant}"],
        "expires_at_ms": time.time_ns() // 1_000_000 + 60_000,
        "remaining_ttl_ms": 60_000,
        "reserved": estimate,
    }
    headers = {
        "content-type": "application/json",
        "x-request-id": secrets.token_hex(16),
        "x-cycles-trace-id": secrets.token_hex(16),
    }
    return Answered(status=200, headers=headers, body=json.dumps(body).encode())


def oversells() -> Tamper:
    under_way: Counter[str] = Counter()

    async def tamper(asked: Asked, forward: Forward) -> Answered:
        who = asked.headers.get("x-cycles-api-key", "")
        if not asked.is_reserve:
            return await forward(asked)
        under_way[who] += 1
        await checkpoint()
        is_racing = under_way[who] > 1
        answer = await forward(asked)
        await checkpoint()
        under_way[who] -= 1
        return made_up(asked) if is_racing and answer.refuses("BUDGET_EXCEEDED") else answer

    return tamper


def rounds_through_floats(asked: Asked) -> Asked:
    def rounded(value: Any) -> Any:
        match value:
            case bool():
                return value
            case int() if abs(value) > 2**53:
                return min(int(float(value)), 2**63 - 1) if value < 2**63 else value
            case dict():
                return {name: rounded(member) for name, member in value.items()}
            case _:
                return value

    return asked if "/admin/" in asked.path else asked.saying(rounded(asked.said))


async def charges_the_released(asked: Asked, forward: Forward) -> Answered:
    answer = await forward(asked)
    if not asked.settles("commit") or not answer.refuses("RESERVATION_FINALIZED"):
        return answer
    row = (await forward(_row_of(asked))).said
    if row["status"] != "RELEASED":
        return answer
    spent = {
        "idempotency_key": secrets.token_hex(8),
        "subject": row["subject"],
        "action": row["action"],
        "actual": asked.said["actual"],
    }
    await forward(replace(asked, path="/v1/events").saying(spent))
    return answer.saying({"status": "COMMITTED", "charged": spent["actual"]}, 200)


def _row_of(asked: Asked) -> Asked:
    return replace(asked, method="GET", path=asked.path.rpartition("/")[0], body=b"")


def hides_debt(asked: Asked, answer: Answered) -> Answered:
    """It shows no balance below zero."""
    if not answer.is_ok or asked.path != "/v1/balances":
        return answer
    rows = answer.said["balances"]
    for row in rows:
        row["remaining"]["amount"] = max(row["remaining"]["amount"], 0)
    return answer.saying({**answer.said, "balances": rows})


async def lends_to_whoever_owes_without_a_limit(asked: Asked, forward: Forward) -> Answered:
    answer = await forward(asked)
    if not asked.is_reserve or not answer.refuses("OVERDRAFT_LIMIT_EXCEEDED"):
        return answer
    query = f"tenant={asked.said['subject']['tenant']}"
    balances = replace(asked, method="GET", path="/v1/balances", query=query, body=b"")
    (root,) = (await forward(balances)).said["balances"]
    return made_up(asked) if "debt" in root and "overdraft_limit" not in root else answer


def does_not_say_what_it_capped(asked: Asked, answer: Answered) -> Answered:
    return answer.without("charged") if asked.path == "/v1/events" and answer.is_ok else answer


async def holds_in_dry_runs(asked: Asked, forward: Forward) -> Answered:
    if not asked.is_reserve or asked.said.get("dry_run") is not True:
        return await forward(asked)
    answer = await forward(asked)
    if answer.is_ok and answer.said["decision"] == "ALLOW":
        key = f"dry {asked.said['idempotency_key']}"
        await forward(asked.saying({**asked.said, "dry_run": False, "idempotency_key": key}))
    return answer


def releases_nothing(asked: Asked, answer: Answered) -> Answered:
    if not asked.settles("release") or not answer.is_ok:
        return answer
    said = answer.said
    return answer.saying({**said, "released": {**said["released"], "amount": 0}})


def ignores_expiry(asked: Asked, answer: Answered) -> Answered:
    if not asked.settles("commit") or not answer.refuses("RESERVATION_EXPIRED"):
        return answer
    return answer.saying({"status": "COMMITTED", "charged": asked.said["actual"]}, 200)


def does_not_say_what_is_left(asked: Asked, answer: Answered) -> Answered:
    return answer.without("remaining_ttl_ms") if answer.is_ok and asked.method == "POST" else answer


def counts_the_grace_as_lease(asked: Asked) -> Asked:
    said = asked.said
    if not asked.is_reserve or not isinstance(said.get("grace_period_ms"), int):
        return asked
    grace = said["grace_period_ms"]
    if not 0 < grace <= 60_000 or not isinstance(said.get("ttl_ms"), int):
        return asked
    return asked.saying({**said, "ttl_ms": said["ttl_ms"] + grace, "grace_period_ms": 0})


FAULTS = {
    "oversells under concurrency": Broken(oversells, "RT-RACE-001 RT-RACE-002"),
    "rounds through floats": Broken(hearing(rounds_through_floats), "RT-RESERVE-021 RT-INPUT-057"),
    "charges the released": Broken(always(charges_the_released), "RT-COMMIT-017"),
    "hides debt": Broken(
        answering(hides_debt),
        "RT-COMMIT-010 RT-COMMIT-011 RT-EVENT-007 RT-SHAPE-011 GC-BUDGET-010 "
        "GC-FUND-004 GC-FUND-005 GC-FUND-007",
    ),
    "lends to whoever owes": Broken(always(lends_to_whoever_owes_without_a_limit), "GC-BUDGET-017"),
    "does not say what it capped": Broken(
        answering(does_not_say_what_it_capped), "RT-EVENT-005 RT-EVENT-012"
    ),
    "holds in dry runs": Broken(
        always(holds_in_dry_runs), "RT-RESERVE-022 RT-IDEM-019 RT-IDEM-024 EX-QUOTA-008"
    ),
    "releases nothing": Broken(answering(releases_nothing), "RT-RELEASE-001"),
    "ignores expiry": Broken(answering(ignores_expiry), "RT-EXPIRY-001"),
    "does not say what is left": Broken(
        answering(does_not_say_what_is_left), "RT-RESERVE-009 RT-EXTEND-008 RT-EXPIRY-008"
    ),
    "counts the grace as lease": Broken(hearing(counts_the_grace_as_lease), "RT-EXPIRY-003"),
}

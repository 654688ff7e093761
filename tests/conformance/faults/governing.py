"""Faults of what operators govern with."""

import secrets
from dataclasses import replace

from tests.conformance.fault import Broken, always, answering, hearing
from tests.conformance.rig import ADMIN_KEY
from tests.conformance.tampering import Answered, Asked, Forward, Tamper


def _as_operator(asked: Asked) -> Asked:
    return replace(asked, headers={**asked.headers, "x-admin-api-key": ADMIN_KEY})


async def reads_whatever_a_key_lacks(asked: Asked, forward: Forward) -> Answered:
    """It lets every key look at budgets and reservations."""
    answer = await forward(asked)
    lacks = answer.status == 403 and "lacks the permission" in answer.said["message"]
    if not lacks or asked.method != "GET" or not asked.path.startswith("/v1/admin/budgets"):
        return answer
    return await forward(_as_operator(asked))


def knows_keys_by_heart() -> Tamper:
    """It goes on with a key that it has once seen to be good."""
    good: set[str] = set()

    async def tamper(asked: Asked, forward: Forward) -> Answered:
        answer = await forward(asked)
        key = asked.headers.get("x-cycles-api-key", "")
        if asked.path != "/v1/reservations" or asked.method != "POST":
            return answer
        if answer.is_ok:
            good.add(key)
        if answer.status == 401 and key in good:
            said = {"decision": "ALLOW", "affected_scopes": [], "reservation_id": "kept"}
            return answer.saying(said, 200)
        return answer

    return tamper


def funds_as_often_as_asked(asked: Asked) -> Asked:
    if not asked.path.endswith("/fund") or "idempotency_key" not in asked.said:
        return asked
    if not asked.said["idempotency_key"]:
        return asked
    return asked.saying({**asked.said, "idempotency_key": secrets.token_hex(8)})


def remembers_secrets() -> Tamper:
    secrets_of: dict[str, str] = {}

    async def tamper(asked: Asked, forward: Forward) -> Answered:
        answer = await forward(asked)
        if asked.path != "/v1/admin/api-keys" or not answer.is_ok:
            return answer
        if asked.method == "POST":
            secrets_of[answer.said["tenant_id"]] = answer.said["key_secret"]
            return answer
        rows = [
            {**row, "description": secrets_of.get(row["tenant_id"], "")}
            for row in answer.said["keys"]
        ]
        return answer.saying({**answer.said, "keys": rows})

    return tamper


async def holds_while_it_observes(asked: Asked, forward: Forward) -> Answered:
    answer = await forward(asked)
    if asked.is_reserve and asked.said.get("observe_mode") == "OBSERVE" and answer.is_ok:
        key = secrets.token_hex(8)
        live = {**asked.said, "observe_mode": "ENFORCE", "idempotency_key": key}
        await forward(asked.saying(live))
    return answer


def decides_without_policies(asked: Asked, answer: Answered) -> Answered:
    if asked.path != "/v1/decide" or not answer.is_ok:
        return answer
    if not str(answer.said.get("reason_code")).startswith("ACTION_"):
        return answer
    return answer.saying({"decision": "ALLOW", "affected_scopes": answer.said["affected_scopes"]})


async def reopens_the_closed(asked: Asked, forward: Forward) -> Answered:
    answer = await forward(asked)
    is_refused = asked.method == "PATCH" and answer.status in (400, 409)
    if is_refused and asked.said.get("status") == "ACTIVE":
        return await forward(replace(asked, method="GET", body=b""))
    return answer


FAULTS = {
    "reads whatever a key lacks": Broken(always(reads_whatever_a_key_lacks), "GC-KEY-006"),
    "knows keys by heart": Broken(knows_keys_by_heart, "GC-KEY-003 GC-CLOSE-001"),
    "funds as often as asked": Broken(hearing(funds_as_often_as_asked), "GC-FUND-008"),
    "remembers secrets": Broken(remembers_secrets, "GC-KEY-001"),
    "holds while it observes": Broken(always(holds_while_it_observes), "EX-OBSERVE-001"),
    "decides without policies": Broken(answering(decides_without_policies), "EX-LIST-003"),
    "reopens the closed": Broken(always(reopens_the_closed), "GC-CLOSE-005"),
}

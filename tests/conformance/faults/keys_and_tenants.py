"""Faults about keys and tenants."""

import secrets
import time
from dataclasses import replace

from tests.conformance.fault import Broken, always, hearing
from tests.conformance.rig import ADMIN_KEY
from tests.conformance.tampering import Answered, Asked, Forward, Tamper

FORGETS_AFTER_S = 1.2


def replays_with_new_ids() -> Tamper:
    seen: set[str] = set()

    async def tamper(asked: Asked, forward: Forward) -> Answered:
        answer = await forward(asked)
        if not asked.is_reserve or not answer.is_ok or "reservation_id" not in answer.said:
            return answer
        if asked.key in seen:
            return answer.saying({**answer.said, "reservation_id": secrets.token_hex(16)})
        seen.add(asked.key)
        return answer

    return tamper


def forgets_keys_in_time() -> Tamper:
    first: dict[str, float] = {}

    async def tamper(asked: Asked, forward: Forward) -> Answered:
        since = first.setdefault(asked.key, time.monotonic())
        if asked.said.get("idempotency_key") and time.monotonic() - since > FORGETS_AFTER_S:
            asked = asked.saying({**asked.said, "idempotency_key": secrets.token_hex(8)})
        return await forward(asked)

    return tamper


def takes_any_body_under_a_known_key() -> Tamper:
    kept: dict[str, Answered] = {}

    async def tamper(asked: Asked, forward: Forward) -> Answered:
        answer = await forward(asked)
        if asked.is_reserve and answer.refuses("IDEMPOTENCY_MISMATCH"):
            return kept[asked.key]
        if answer.is_ok:
            kept.setdefault(asked.key, answer)
        return answer

    return tamper


def ignores_letter_case_of_keys(asked: Asked) -> Asked:
    key = asked.said.get("idempotency_key")
    if asked.path == "/v1/decide" or not isinstance(key, str):
        return asked
    return asked.saying({**asked.said, "idempotency_key": key.lower()})


def takes_the_key_from_the_header(asked: Asked) -> Asked:
    key = asked.headers.get("x-idempotency-key")
    if key is None or "idempotency_key" in asked.said:
        return asked
    return asked.saying({**asked.said, "idempotency_key": key})


def remembers_refusals() -> Tamper:
    kept: dict[str, Answered] = {}

    async def tamper(asked: Asked, forward: Forward) -> Answered:
        if asked.is_reserve and asked.key in kept:
            return kept[asked.key]
        answer = await forward(asked)
        if asked.is_reserve and answer.status == 409:
            kept[asked.key] = answer
        return answer

    return tamper


async def shows_anybodys_reservation(asked: Asked, forward: Forward) -> Answered:
    answer = await forward(asked)
    if asked.method == "GET" and answer.refuses("FORBIDDEN") and not asked.query:
        return await forward(
            replace(asked, headers={**asked.headers, "x-admin-api-key": ADMIN_KEY})
        )
    return answer


async def names_the_owner(asked: Asked, forward: Forward) -> Answered:
    answer = await forward(asked)
    if not asked.path.startswith("/v1/reservations/") or not answer.refuses("FORBIDDEN"):
        return answer
    path = "/".join(asked.path.split("/")[:4])
    headers = {**asked.headers, "x-admin-api-key": ADMIN_KEY}
    row = await forward(replace(asked, method="GET", path=path, headers=headers))
    return answer.saying({**answer.said, "message": f"It belongs to {row.said.get('subject')}"})


FAULTS = {
    "replays with new ids": Broken(
        replays_with_new_ids,
        "RT-EXPIRY-009 RT-EXPIRY-012 RT-IDEM-001 RT-IDEM-022 RT-IDEM-023 "
        "RT-RACE-003 RT-LIMIT-012 GC-BUDGET-016 RT-IDEM-020",
    ),
    "forgets keys in time": Broken(
        forgets_keys_in_time, "RT-EXPIRY-009 RT-EXPIRY-012 RT-EXPIRY-008"
    ),
    "takes any body under a known key": Broken(
        takes_any_body_under_a_known_key, "RT-IDEM-003 RT-IDEM-019"
    ),
    "ignores the letter case of keys": Broken(hearing(ignores_letter_case_of_keys), "RT-IDEM-025"),
    "takes the key from the header": Broken(hearing(takes_the_key_from_the_header), "RT-IDEM-015"),
    "remembers refusals": Broken(remembers_refusals, "RT-IDEM-018"),
    "shows anybody's reservation": Broken(
        always(shows_anybodys_reservation),
        "RT-TENANT-006 RT-TENANT-008 GC-KEY-009 GC-KEY-005 RT-TENANT-009",
    ),
    "names the owner": Broken(always(names_the_owner), "RT-TENANT-009"),
}

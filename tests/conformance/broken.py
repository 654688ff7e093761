"""Servers that are broken in one way each, and the requirements that this breaks."""

import json
import secrets
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import parse_qsl, urlencode

from anyio.lowlevel import checkpoint

from tests.conformance.rig import ADMIN_KEY
from tests.conformance.tampering import Answered, Asked, Forward, Json, Tamper

FORGETS_AFTER_S = 1.2


@dataclass(frozen=True, slots=True)
class Broken:
    """What is wrong with a server, and what must be found."""

    make: Callable[[], Tamper]
    caught_by: str

    @property
    def requirements(self) -> set[str]:
        return {f"RT-{each}" for each in self.caught_by.split()}


def answering(change: Callable[[Asked, Answered], Answered]) -> Callable[[], Tamper]:
    """A server whose answers are changed on their way out."""

    async def tamper(asked: Asked, forward: Forward) -> Answered:
        return change(asked, await forward(asked))

    return lambda: tamper


def hearing(change: Callable[[Asked], Asked]) -> Callable[[], Tamper]:
    """A server that hears something else than was said."""

    async def tamper(asked: Asked, forward: Forward) -> Answered:
        return await forward(change(asked))

    return lambda: tamper


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


# ── concurrency ───────────────────────────────────────────────────────────────────────────────


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


# ── keys ──────────────────────────────────────────────────────────────────────────────────────


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


# ── tenants ───────────────────────────────────────────────────────────────────────────────────


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


# ── money ─────────────────────────────────────────────────────────────────────────────────────


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


# ── time ──────────────────────────────────────────────────────────────────────────────────────


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


# ── bodies ────────────────────────────────────────────────────────────────────────────────────


def breaks_over_bad_json(asked: Asked, answer: Answered) -> Answered:
    if answer.status != 400 or asked.body != b"estimate=5":
        return answer
    return answer.saying({**answer.said, "error": "INTERNAL_ERROR"}, 500)


def adds_a_null(asked: Asked, answer: Answered) -> Answered:
    if not asked.is_reserve or not answer.is_ok:
        return answer
    return answer.saying({**answer.said, "retry_after_ms": None})


def adds_a_key(asked: Asked, answer: Answered) -> Answered:
    if not asked.settles("commit") or not answer.is_ok:
        return answer
    return answer.saying({**answer.said, "committed_at_ms": 1})


def answers_replayed_events_with_200() -> Tamper:
    seen: set[str] = set()

    async def tamper(asked: Asked, forward: Forward) -> Answered:
        answer = await forward(asked)
        if asked.path == "/v1/events" and answer.is_ok and asked.key in seen:
            return replace(answer, status=200)
        seen.add(asked.key)
        return answer

    return tamper


KNOWN = {
    "/v1/reservations": "idempotency_key subject action estimate ttl_ms grace_period_ms "
    "overage_policy dry_run metadata observe_mode",
}


def takes_unknown_members(asked: Asked) -> Asked:
    known = KNOWN.get(asked.path, "").split()
    if not known or not asked.said:
        return asked
    kept = {name: value for name, value in asked.said.items() if name in known}
    return asked.saying(kept)


def throttles_instead_of_ending(_asked: Asked, answer: Answered) -> Answered:
    return replace(answer, status=429) if answer.refuses("MAX_EXTENSIONS_EXCEEDED") else answer


def adds_to_errors(_asked: Asked, answer: Answered) -> Answered:
    if not answer.refuses("IDEMPOTENCY_MISMATCH"):
        return answer
    return answer.saying({**answer.said, "timestamp": 1})


# ── lists ─────────────────────────────────────────────────────────────────────────────────────


def _with_query(asked: Asked, change: Callable[[Json], Json]) -> Asked:
    if (asked.method, asked.path) != ("GET", "/v1/reservations"):
        return asked
    query = dict(parse_qsl(asked.query, keep_blank_values=True))
    return replace(asked, query=urlencode(change(query)))


def ignores_scope_filters(asked: Asked) -> Asked:
    levels = ("workspace", "app", "workflow", "agent", "toolset")
    return _with_query(asked, lambda query: {k: v for k, v in query.items() if k not in levels})


def clamps_pages(asked: Asked) -> Asked:
    def clamped(query: Json) -> Json:
        limit = query.get("limit", "50")
        return {**query, "limit": "200"} if limit.isdigit() and int(limit) > 200 else query

    return _with_query(asked, clamped)


def forgets_the_filters_of_a_cursor(asked: Asked) -> Asked:
    kept = ("cursor", "limit", "include")

    def loosened(query: Json) -> Json:
        if query.get("sort_by") != "reserved" or len(query.get("cursor", "")) in (0, 3, 500):
            return query
        is_ours = "%" not in query["cursor"]
        return {k: v for k, v in query.items() if k in kept} if is_ours else query

    return _with_query(asked, loosened)


def sorts_amounts_as_text(asked: Asked, answer: Answered) -> Answered:
    if asked.path != "/v1/reservations" or "sort_by=reserved" not in asked.query:
        return answer
    if not answer.is_ok or "limit" in asked.query:
        return answer
    rows = answer.said["reservations"]
    backwards = "sort_dir=asc" not in asked.query
    rows.sort(key=lambda row: str(row["reserved"]["amount"]), reverse=backwards)
    return answer.saying({**answer.said, "reservations": rows})


# ── tracing ───────────────────────────────────────────────────────────────────────────────────


def has_no_request_id(_asked: Asked, answer: Answered) -> Answered:
    kept = {name: value for name, value in answer.headers.items() if name != "x-request-id"}
    return replace(answer, headers=kept)


def rejects_strange_traces(asked: Asked) -> Asked:
    return asked.saying({}) if asked.headers.get("traceparent") == "nonsense" else asked


def prefers_its_own_trace_header(asked: Asked) -> Asked:
    if "x-cycles-trace-id" not in asked.headers or len(asked.headers.get("traceparent", "")) != 55:
        return asked
    kept = {name: value for name, value in asked.headers.items() if name != "traceparent"}
    return replace(asked, headers=kept)


def always(tamper: Tamper) -> Callable[[], Tamper]:
    """A tamper that remembers nothing."""
    return lambda: tamper


BROKEN = {
    "oversells under concurrency": Broken(oversells, "RACE-001 RACE-002"),
    "replays with new ids": Broken(
        replays_with_new_ids,
        "EXPIRY-009 EXPIRY-012 IDEM-001 IDEM-022 IDEM-023 RACE-003 LIMIT-012 IDEM-020",
    ),
    "forgets keys in time": Broken(forgets_keys_in_time, "EXPIRY-009 EXPIRY-012 EXPIRY-008"),
    "takes any body under a known key": Broken(
        takes_any_body_under_a_known_key, "IDEM-003 IDEM-019"
    ),
    "ignores the letter case of keys": Broken(hearing(ignores_letter_case_of_keys), "IDEM-025"),
    "takes the key from the header": Broken(hearing(takes_the_key_from_the_header), "IDEM-015"),
    "remembers refusals": Broken(remembers_refusals, "IDEM-018"),
    "shows anybody's reservation": Broken(
        always(shows_anybodys_reservation), "TENANT-006 TENANT-008 TENANT-009"
    ),
    "names the owner": Broken(always(names_the_owner), "TENANT-009"),
    "rounds through floats": Broken(hearing(rounds_through_floats), "RESERVE-021 INPUT-057"),
    "charges the released": Broken(always(charges_the_released), "COMMIT-017"),
    "hides debt": Broken(answering(hides_debt), "COMMIT-010 COMMIT-011 EVENT-007 SHAPE-011"),
    "does not say what it capped": Broken(
        answering(does_not_say_what_it_capped), "EVENT-005 EVENT-012"
    ),
    "holds in dry runs": Broken(always(holds_in_dry_runs), "RESERVE-022 IDEM-019 IDEM-024"),
    "releases nothing": Broken(answering(releases_nothing), "RELEASE-001"),
    "ignores expiry": Broken(answering(ignores_expiry), "EXPIRY-001"),
    "does not say what is left": Broken(
        answering(does_not_say_what_is_left), "RESERVE-009 EXTEND-008 EXPIRY-008"
    ),
    "counts the grace as lease": Broken(hearing(counts_the_grace_as_lease), "EXPIRY-003"),
    "breaks over bad JSON": Broken(
        answering(breaks_over_bad_json), "ERROR-003 INPUT-001 INPUT-051"
    ),
    "adds a null": Broken(answering(adds_a_null), "SHAPE-010"),
    "adds a key": Broken(answering(adds_a_key), "SHAPE-002"),
    "answers replayed events with 200": Broken(
        answers_replayed_events_with_200, "IDEM-011 SHAPE-006"
    ),
    "takes unknown members": Broken(hearing(takes_unknown_members), "INPUT-041 INPUT-050"),
    "throttles instead of ending": Broken(
        answering(throttles_instead_of_ending), "EXTEND-005 EXTEND-006 ERROR-002"
    ),
    "adds to errors": Broken(answering(adds_to_errors), "ERROR-001"),
    "ignores scope filters": Broken(hearing(ignores_scope_filters), "LIST-005 LIST-006 LIST-022"),
    "clamps pages": Broken(hearing(clamps_pages), "LIST-019"),
    "forgets the filters of a cursor": Broken(hearing(forgets_the_filters_of_a_cursor), "LIST-022"),
    "sorts amounts as text": Broken(answering(sorts_amounts_as_text), "LIST-013 LIST-015 LIST-021"),
    "has no request id": Broken(answering(has_no_request_id), "TRACE-001 TRACE-003 TRACE-010"),
    "rejects strange traces": Broken(hearing(rejects_strange_traces), "TRACE-008"),
    "prefers its own trace header": Broken(hearing(prefers_its_own_trace_header), "TRACE-007"),
}

"""Faults of bodies, codes and headers."""

from dataclasses import replace

from tests.conformance.fault import Broken, answering, hearing
from tests.conformance.tampering import Answered, Asked, Forward, Tamper


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


FAULTS = {
    "breaks over bad JSON": Broken(
        answering(breaks_over_bad_json), "RT-ERROR-003 RT-INPUT-001 RT-INPUT-051"
    ),
    "adds a null": Broken(answering(adds_a_null), "RT-SHAPE-010"),
    "adds a key": Broken(answering(adds_a_key), "RT-SHAPE-002"),
    "answers replayed events with 200": Broken(
        answers_replayed_events_with_200, "RT-IDEM-011 RT-SHAPE-006 GC-BUDGET-016"
    ),
    "takes unknown members": Broken(hearing(takes_unknown_members), "RT-INPUT-041 RT-INPUT-050"),
    "throttles instead of ending": Broken(
        answering(throttles_instead_of_ending),
        "RT-EXTEND-005 RT-EXTEND-006 RT-ERROR-002 GC-POLICY-005",
    ),
    "adds to errors": Broken(answering(adds_to_errors), "RT-ERROR-001"),
    "has no request id": Broken(
        answering(has_no_request_id),
        "RT-TRACE-001 RT-TRACE-003 RT-TRACE-010 GC-AUDIT-001 GC-AUDIT-002",
    ),
    "rejects strange traces": Broken(hearing(rejects_strange_traces), "RT-TRACE-008"),
    "prefers its own trace header": Broken(hearing(prefers_its_own_trace_header), "RT-TRACE-007"),
}

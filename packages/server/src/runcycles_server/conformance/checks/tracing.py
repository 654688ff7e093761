"""Correlation: which request, which operation."""

import re
import secrets
from typing import Final

from runcycles_server.conformance.client import Answer
from runcycles_server.conformance.expecting import done, expect, refused, same
from runcycles_server.conformance.registry import Topic
from runcycles_server.conformance.stand import Stand

topic = Topic()
check, watch = topic.check, topic.watch

TRACE: Final = re.compile("(?!0{32})[0-9a-f]{32}")
HEADER: Final = "x-cycles-trace-id"
MALFORMED: Final = (
    "",
    "nonsense",
    "0" * 32,
    "f" * 31,
    "f" * 33,
    "F" * 32,
    "g" * 32,
)
MALFORMED_PARENTS: Final = (
    "",
    "nonsense",
    f"00-{'0' * 32}-{'1' * 16}-01",
    f"00-{'1' * 32}-{'0' * 16}-01",
    f"00-{'1' * 32}-{'1' * 15}-01",
    f"ff-{'1' * 32}-{'1' * 16}-01",
    f"00-{'1' * 32}",
)


@watch("RT-TRACE-001")
def every_answer_has_a_request_id(answer: Answer) -> list[str]:
    return [] if answer.headers.get("x-request-id") else ["there is no X-Request-Id header"]


@watch("RT-TRACE-002")
def every_answer_has_a_trace_id(answer: Answer) -> list[str]:
    found = answer.headers.get(HEADER, "")
    return [] if TRACE.fullmatch(found) else [f"X-Cycles-Trace-Id is {found!r}"]


@watch("RT-TRACE-003")
def an_error_repeats_its_request_id(answer: Answer) -> list[str] | None:
    if answer.code is None or "request_id" not in answer:
        return None
    found, wanted = answer["request_id"], answer.headers.get("x-request-id")
    return [] if found == wanted else [f"request_id is {found!r}, the header says {wanted!r}"]


@watch("RT-TRACE-004")
def an_error_repeats_its_trace_id(answer: Answer) -> list[str] | None:
    if answer.code is None:
        return None
    found, wanted = answer.get("trace_id"), answer.headers.get(HEADER)
    return [] if found == wanted else [f"trace_id is {found!r}, the header says {wanted!r}"]


async def _trace_of(stand: Stand, **headers: str) -> str:
    return done(await stand.post("/v1/reservations", stand.question(1), **headers)).headers.get(
        HEADER, ""
    )


@check("RT-TRACE-005")
async def a_trace_id_is_taken_over(stand: Stand) -> None:
    wanted = secrets.token_hex(16)
    same(await _trace_of(stand, X_Cycles_Trace_Id=wanted), wanted, "X-Cycles-Trace-Id")


@check("RT-TRACE-006")
async def a_traceparent_is_taken_over(stand: Stand) -> None:
    wanted = secrets.token_hex(16)
    parent = f"00-{wanted}-{secrets.token_hex(8)}-00"
    same(await _trace_of(stand, traceparent=parent), wanted, "X-Cycles-Trace-Id")


@check("RT-TRACE-007")
async def the_traceparent_wins(stand: Stand) -> None:
    wanted, other = secrets.token_hex(16), secrets.token_hex(16)
    parent = f"00-{wanted}-{secrets.token_hex(8)}-01"
    found = await _trace_of(stand, traceparent=parent, X_Cycles_Trace_Id=other)
    same(found, wanted, "X-Cycles-Trace-Id")


@check("RT-TRACE-008")
async def malformed_ones_are_ignored(stand: Stand) -> None:
    for wrong in MALFORMED:
        found = await _trace_of(stand, X_Cycles_Trace_Id=wrong)
        expect(found != wrong, f"the malformed trace id {wrong!r} was taken over")
    wanted = secrets.token_hex(16)
    for wrong in MALFORMED_PARENTS:
        found = await _trace_of(stand, traceparent=wrong, X_Cycles_Trace_Id=wanted)
        same(found, wanted, f"X-Cycles-Trace-Id beside the malformed traceparent {wrong!r}")


@check("RT-TRACE-009")
async def an_error_is_traced_too(stand: Stand) -> None:
    wanted = secrets.token_hex(16)
    answer = await stand.post("/v1/reservations", {}, X_Cycles_Trace_Id=wanted)
    same(refused(answer, 400, "INVALID_REQUEST").headers.get(HEADER), wanted, "X-Cycles-Trace-Id")


@check("RT-TRACE-010")
async def every_request_has_its_own_id(stand: Stand) -> None:
    body = stand.question(1)
    found = {
        (await stand.post("/v1/reservations", body)).headers.get("x-request-id") for _ in range(5)
    }
    same(len(found), 5, "request ids of five requests")

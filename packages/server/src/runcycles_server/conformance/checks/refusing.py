"""Errors: one envelope, one status per code, and never a 5xx for what a client sent."""

from collections.abc import Iterator
from typing import Final

from runcycles_server.conformance.checks.bodies import is_of_the_runtime
from runcycles_server.conformance.client import Answer
from runcycles_server.conformance.expecting import expect
from runcycles_server.conformance.registry import Topic
from runcycles_server.conformance.shapes import Shape, is_object, is_text
from runcycles_server.conformance.stand import Stand

topic = Topic()
check, watch = topic.check, topic.watch

STATUS: Final = {
    "INVALID_REQUEST": (400, 405, 413, 415, 431),
    "UNIT_MISMATCH": (400,),
    "UNAUTHORIZED": (401,),
    "FORBIDDEN": (403,),
    "NOT_FOUND": (404,),
    "BUDGET_EXCEEDED": (409,),
    "BUDGET_FROZEN": (409,),
    "BUDGET_CLOSED": (409,),
    "OVERDRAFT_LIMIT_EXCEEDED": (409,),
    "DEBT_OUTSTANDING": (409,),
    "RESERVATION_FINALIZED": (409,),
    "IDEMPOTENCY_MISMATCH": (409,),
    "MAX_EXTENSIONS_EXCEEDED": (409,),
    "TENANT_CLOSED": (409,),
    "ACTION_QUOTA_EXCEEDED": (409,),
    "ACTION_KIND_NOT_ALLOWED": (409,),
    "ACTION_KIND_DENIED": (409,),
    "RESERVATION_EXPIRED": (410,),
    "LIMIT_EXCEEDED": (429,),
    "INTERNAL_ERROR": (500, 503),
}
ENVELOPE: Final = Shape(
    error_=is_text,
    message_=is_text,
    request_id_=is_text,
    trace_id=is_text,
    details=is_object,
    cycles_evidence=is_object,
)


def _is_error(answer: Answer) -> bool:
    return is_of_the_runtime(answer) and answer.status >= 400


@watch("RT-ERROR-001")
def errors_have_one_shape(answer: Answer) -> Iterator[str] | None:
    return ENVELOPE.faults(answer.json) if _is_error(answer) else None


@watch("RT-ERROR-002")
def a_code_has_one_status(answer: Answer) -> list[str] | None:
    if not _is_error(answer):
        return None
    if answer.code not in STATUS:
        return [f"{answer.code} is no code of the runtime"]
    fits = answer.status in STATUS[answer.code]
    return [] if fits else [f"{answer.code} is answered with {answer.status}"]


@watch("RT-ERROR-003")
def nothing_that_is_sent_breaks_the_server(answer: Answer) -> list[str]:
    return [f"answered with {answer.status}"] if answer.status >= 500 else []


@watch("RT-ERROR-004")
def an_error_says_what_is_wrong(answer: Answer) -> list[str] | None:
    if not _is_error(answer):
        return None
    return [] if str(answer.get("message") or "").strip() else ["message is empty"]


@check("RT-ERROR-005")
async def nothing_is_404(stand: Stand) -> None:
    for path in ("/v1/nothing", "/v1/reservations/a/b/c", "/nothing"):
        answer = await stand.get(path)
        expect(answer.status == 404, f"GET {path} is answered {answer.status}")


@check("RT-ERROR-006")
async def a_wrong_method_is_refused(stand: Stand) -> None:
    for method, path in (("DELETE", "/v1/reservations"), ("PUT", "/v1/reservations/a/commit")):
        answer = await stand.caller.ask(method, path)
        expect(answer.status in (404, 405), f"{method} {path} is answered {answer.status}")


@check("RT-ERROR-007")
async def a_wrong_media_type_is_refused(stand: Stand) -> None:
    answer = await stand.caller.ask(
        "POST",
        "/v1/reservations",
        stand.question(1),
        headers={"Content-Type": "application/x-www-form-urlencoded"},
    )
    expect(answer.status in (400, 415), f"a form is answered {answer.status}")
    await stand.shows(remaining=1_000, reserved=0)

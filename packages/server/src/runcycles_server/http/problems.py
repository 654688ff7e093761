"""The ways in which HTTP itself says no, in the protocol's error envelope.

What the ledger refuses arrives as an exception that already carries its problem; only what the
ledger never sees is worded here.
"""

from runcycles import wire
from runcycles.errors import CyclesProtocolError, ErrorCode, Problem


def refusal(
    code: ErrorCode,
    message: str,
    *,
    status: int | None = None,
    retry_after_ms: int | None = None,
) -> CyclesProtocolError:
    """The error to raise for a code; `status` only where HTTP has a finer one than the table."""
    problem = Problem(
        status=status or wire.rule_of(code).status,
        error_code=code,
        message=message,
        retry_after_ms=retry_after_ms,
    )
    return wire.error_for(None, problem)


def retry_after(problem: Problem) -> tuple[tuple[bytes, bytes], ...]:
    """The header that says when to ask again, in whole seconds; none where that is not known."""
    if problem.retry_after_ms is None:
        return ()
    return ((b"retry-after", b"%d" % -(-problem.retry_after_ms // 1_000)),)


def unknown_path(path: str) -> CyclesProtocolError:
    """Nothing is served under this path."""
    return refusal(ErrorCode.NOT_FOUND, f"There is nothing at {path}")


def wrong_method(method: str, path: str, allowed: str) -> CyclesProtocolError:
    """The path exists, the method does not."""
    return refusal(ErrorCode.INVALID_REQUEST, f"{path} takes {allowed}, not {method}", status=405)


def body_too_large(limit: int) -> CyclesProtocolError:
    """The body is, or says it will be, larger than any request of the protocol."""
    return refusal(
        ErrorCode.INVALID_REQUEST, f"The body is larger than {limit:,} bytes", status=413
    )


def wrong_media_type(given: str) -> CyclesProtocolError:
    """The body says it is something other than JSON."""
    return refusal(
        ErrorCode.INVALID_REQUEST,
        f"The body must be application/json; the Content-Type header says {given}",
        status=415,
    )


def head_too_large(limit: int) -> CyclesProtocolError:
    """The request line and its headers are larger than any client of the protocol sends."""
    return refusal(
        ErrorCode.INVALID_REQUEST,
        f"The request line and headers are larger than {limit:,} bytes",
        status=431,
    )


def too_many_connections() -> CyclesProtocolError:
    """There are more clients than are served well; nothing of this one's request was read."""
    return refusal(
        ErrorCode.LIMIT_EXCEEDED,
        "This server has as many connections as it takes; try again in a moment",
        status=503,
        retry_after_ms=1_000,
    )


def not_http() -> CyclesProtocolError:
    """The bytes are no HTTP request."""
    return refusal(ErrorCode.INVALID_REQUEST, "This is not an HTTP/1.1 request")


def overloaded() -> CyclesProtocolError:
    """More waits for the store than it answers in time, or more is sent than can be kept."""
    return refusal(
        ErrorCode.LIMIT_EXCEEDED,
        "This server has more to do than it can and nothing was changed; ask again in a moment",
        retry_after_ms=1_000,
    )


def too_often(wait_ms: int) -> CyclesProtocolError:
    """This address asks more often than anybody without a key may."""
    return refusal(
        ErrorCode.LIMIT_EXCEEDED,
        "This address asks too often; keep what was answered, and ask with If-None-Match",
        retry_after_ms=wait_ms,
    )


def store_failed() -> Problem:
    """The store could not answer; what it said is in the server's log, not in the reply.

    It does not say that nothing was changed: of what the disk failed to sync, nobody knows.
    """
    return refusal(
        ErrorCode.INTERNAL_ERROR,
        "The store could not do this now; asking again with the same key is safe",
    ).problem


def unexpected() -> Problem:
    """A defect. The log has its traceback under the request id."""
    return refusal(
        ErrorCode.INTERNAL_ERROR,
        "The server failed on this request; its log has more under the request id",
    ).problem

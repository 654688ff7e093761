"""Which trace a request belongs to. A malformed header counts as absent, never as an error."""

import re
from collections.abc import Mapping
from typing import Final

_TRACEPARENT: Final = re.compile(rb"00-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}")
_TRACE_ID: Final = re.compile(rb"[0-9a-f]{32}")
_NO_TRACE: Final = b"0" * 32
_NO_SPAN: Final = b"0" * 16


def given_trace_id(headers: Mapping[bytes, bytes]) -> str | None:
    """The caller's trace: `traceparent` before `X-Cycles-Trace-Id`; None where neither is valid."""
    if parent := headers.get(b"traceparent"):
        found = _TRACEPARENT.fullmatch(parent)
        if found and found[1] != _NO_TRACE and found[2] != _NO_SPAN:
            return found[1].decode()
    plain = headers.get(b"x-cycles-trace-id")
    if plain and plain != _NO_TRACE and _TRACE_ID.fullmatch(plain):
        return plain.decode()
    return None

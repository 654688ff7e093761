"""Server-sent events as both dialects write them."""

import json
from collections.abc import Iterator, Mapping

# Every answer claims to be made at this moment (seconds since 1970), so that one script always
# gives the same bytes.
CREATED = 1_767_225_600

DONE = b"data: [DONE]\n\n"
_PIECE = 24  # characters a delta; a sentence takes a few of them, as with the real service


def data_event(data: Mapping[str, object]) -> bytes:
    """Return an event without a name, as Chat Completions sends it."""
    return b"data: %s\n\n" % json.dumps(data, separators=(",", ":")).encode()


def named_event(name: str, data: Mapping[str, object]) -> bytes:
    """Return an event with a name, as Responses sends it."""
    return b"event: %s\n%s" % (name.encode(), data_event(data))


def pieces(text: str) -> Iterator[str]:
    """Yield the text in the portions that the deltas of a stream carry."""
    for start in range(0, len(text), _PIECE):
        yield text[start : start + _PIECE]

"""Where a list goes on: an opaque text that says after which row, and of which list.

A cursor is bound to the order and the filters it was made for; with others it would skip rows in
silence, so it is refused.
"""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final

SortValue = str | int

VERSION: Final = 1
FINGERPRINT_LENGTH: Final = 16
"""Hex digits of a list's fingerprint; it guards against mistakes, not against attacks."""


def fingerprint(*filters: Any) -> str:
    """The name of a list: equal for equal filters and order."""
    return sha256(repr(filters).encode()).hexdigest()[:FINGERPRINT_LENGTH]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cursor:
    """After the row with this sort value and id, in the list of this fingerprint."""

    bound: str
    sort_by: str
    descending: bool
    after: tuple[SortValue, str]

    def encoded(self) -> str:
        """Unpadded base64url, as it travels."""
        parts = [VERSION, self.bound, self.sort_by, self.descending, *self.after]
        text = json.dumps(parts, separators=(",", ":"), ensure_ascii=False)
        return urlsafe_b64encode(text.encode()).rstrip(b"=").decode()


def decoded(text: str) -> Cursor | None:
    """The cursor in a text; None where it is none of ours."""
    try:
        found = json.loads(urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except ValueError:
        return None
    match found:
        case [1, str(bound), str(sort_by), bool(descending), str() | int() as value, str(last_id)]:
            after = (value, last_id)
            return Cursor(bound=bound, sort_by=sort_by, descending=descending, after=after)
        case _:
            return None

"""The grammar of the scopes that budgets are made for, and of those that keys are limited to.

A budget's is stricter than what a subject may say: one under a scope that no subject can produce
would look real and never be asked.
"""

import re
from typing import Final

from runcycles.scopes import LEVELS
from runcycles.wire.requests import invalid

_ID: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,126}[A-Za-z0-9])?")
_SUBJECT_ID: Final = re.compile(r"[A-Za-z0-9_.-]{1,128}")


def canonical_scope(text: str, *, field: str = "scope") -> str:
    """The scope as it is stored and compared: checked, and in lower case.

    Raises:
        InvalidRequestError: naming the segment that is wrong.
    """
    last = -1
    for segment in text.split("/"):
        level, _, value = segment.partition(":")
        if level not in LEVELS:
            raise invalid(
                field, f"{segment!r} does not start with one of {', '.join(LEVELS)} and a colon"
            )
        if last < 0 and level != "tenant":
            raise invalid(field, f"it must start with tenant:<id>, not with {segment!r}")
        if LEVELS.index(level) <= last:
            raise invalid(
                field, f"{segment!r} is out of order; the order is {', '.join(LEVELS)}, each once"
            )
        if not _ID.fullmatch(value):
            raise invalid(
                field,
                f"{segment!r} needs an id of 1 to 128 letters, digits, '.', '_' and '-' "
                "that starts and ends with a letter or a digit",
            )
        last = LEVELS.index(level)
    return text.lower()


def owner_of(scope: str) -> str:
    """The tenant that a canonical scope belongs to."""
    return scope.partition("/")[0].partition(":")[2]


def fault_of_filter(entry: str) -> str | None:
    """What is wrong with one entry of a key's scope filter: `level:id`, or `level:*` for any id."""
    level, _, value = entry.partition(":")
    if level not in LEVELS:
        return f"{entry!r} does not start with one of {', '.join(LEVELS)} and a colon"
    if value != "*" and not _SUBJECT_ID.fullmatch(value):
        return (
            f"{entry!r} needs an id of 1 to 128 letters, digits, '.', '_' and '-', "
            "or * for every one"
        )
    return None

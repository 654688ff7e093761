"""The grammar of the scopes that budgets, policies and stops are made for, and of keys' filters.

The first is stricter than what a subject may say: a budget under a scope that no subject can
produce would look real and never be asked.
"""

import re
from typing import Final

from runcycles.scopes import LEVELS
from runcycles.wire.requests import invalid

_ID: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,126}[A-Za-z0-9])?")
_SUBJECT_ID: Final = re.compile(r"[A-Za-z0-9_.-]{1,128}")
_ANY: Final = "*"


def canonical_scope(text: str, *, field: str = "scope") -> str:
    """The scope as it is stored and compared: checked, and in lower case.

    Raises:
        InvalidRequestError: naming the segment that is wrong.
    """
    _check_path(text.split("/"), field)
    return text.lower()


def canonical_pattern(text: str, *, field: str = "scope_pattern") -> str:
    """A scope, or one that ends in `*` (all below it) or `agent:*` (every agent just below it).

    Raises:
        InvalidRequestError: naming the segment that is wrong.
    """
    segments = text.split("/")
    if segments[-1] == _ANY and len(segments) > 1:
        _check_path(segments[:-1], field)
        if segments[-2].startswith(f"{LEVELS[-1]}:"):
            raise invalid(field, f"nothing lies below {segments[-2]!r}; leave the last '*' out")
    else:
        _check_path(segments, field, may_end_in_any=True)
    return text.lower()


def _check_path(segments: list[str], field: str, *, may_end_in_any: bool = False) -> None:
    last = -1
    for number, segment in enumerate(segments, start=1):
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
        is_any = may_end_in_any and value == _ANY and number == len(segments)
        if not (is_any or _ID.fullmatch(value)):
            raise invalid(
                field,
                f"{segment!r} needs an id of 1 to 128 letters, digits, '.', '_' and '-' "
                "that starts and ends with a letter or a digit",
            )
        last = LEVELS.index(level)


def owner_of(scope: str) -> str:
    """The tenant that a canonical scope belongs to."""
    return scope.partition("/")[0].partition(":")[2]


def fault_of_filter(entry: str) -> str | None:
    """What is wrong with one entry of a key's scope filter: `level:id`, or `level:*` for any id."""
    level, _, value = entry.partition(":")
    if level not in LEVELS:
        return f"{entry!r} does not start with one of {', '.join(LEVELS)} and a colon"
    if value != _ANY and not _SUBJECT_ID.fullmatch(value):
        return (
            f"{entry!r} needs an id of 1 to 128 letters, digits, '.', '_' and '-', "
            "or * for every one"
        )
    return None

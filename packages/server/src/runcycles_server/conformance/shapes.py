"""The bodies of the runtime's answers: their members, types and ranges, written down once more.

They are written by hand from the protocol, so that they share no mistake with anybody's server.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

INT64: Final = 2**63
ID: Final = "[^/?]+"
OF_A_SUBJECT: Final = r"\?(.*&)?(tenant|workspace|app|workflow|agent|toolset)=.*"
"""Without these the path of the balances belongs to the governance plane."""
UNITS: Final = ("USD_MICROCENTS", "TOKENS", "CREDITS", "RISK_POINTS")

Type = Callable[[Any], bool]


def is_text(value: Any) -> bool:
    """Text."""
    return isinstance(value, str)


def is_flag(value: Any) -> bool:
    """True or false."""
    return isinstance(value, bool)


def is_object(value: Any) -> bool:
    """Any object."""
    return isinstance(value, dict)


def is_count(value: Any) -> bool:
    """A whole number that is not negative."""
    return is_whole(value) and value >= 0


def is_whole(value: Any) -> bool:
    """A whole number of 64 bits."""
    return type(value) is int and -INT64 <= value < INT64


def is_texts(value: Any) -> bool:
    """A list of texts."""
    return isinstance(value, list) and all(map(is_text, value))


def one_of(*values: str) -> Type:
    """One of these texts."""
    return lambda value: value in values


class Shape:
    """A closed object: required members are marked by a `_` at the end of their name."""

    def __init__(self, **members: "Type | Shape | list[Shape]") -> None:
        self._members = {name.rstrip("_"): what for name, what in members.items()}
        self._required = [name.rstrip("_") for name in members if name.endswith("_")]

    def faults(self, found: Any, where: str = "") -> Iterator[str]:
        """What is wrong with an object, member by member."""
        if not isinstance(found, dict):
            yield f"{where or 'the body'} is no object"
            return
        for name in self._required:
            if name not in found:
                yield f"{where}{name} is missing"
        for name, value in found.items():
            if name not in self._members:
                yield f"{where}{name} is no member that the protocol has"
            elif value is not None:  # a null is the business of one watch alone
                yield from _faults(self._members[name], value, f"{where}{name}")


def _faults(what: "Type | Shape | list[Shape]", value: Any, where: str) -> Iterator[str]:
    if isinstance(what, Shape):
        yield from what.faults(value, f"{where}.")
    elif isinstance(what, list):
        if not isinstance(value, list):
            yield f"{where} is no list"
            return
        for number, item in enumerate(value):
            yield from what[0].faults(item, f"{where}[{number}].")
    elif not what(value):
        yield f"{where} has another type or range than the protocol's: {value!r}"


AMOUNT: Final = Shape(unit_=one_of(*UNITS), amount_=is_count)
SIGNED: Final = Shape(unit_=one_of(*UNITS), amount_=is_whole)
CAPS: Final = Shape(
    max_tokens=is_count,
    max_steps_remaining=is_count,
    tool_allowlist=is_texts,
    tool_denylist=is_texts,
    cooldown_ms=is_count,
)
BALANCE: Final = Shape(
    scope_=is_text,
    scope_path_=is_text,
    remaining_=SIGNED,
    reserved=AMOUNT,
    spent=AMOUNT,
    allocated=AMOUNT,
    debt=AMOUNT,
    overdraft_limit=AMOUNT,
    is_over_limit=is_flag,
)
ROW: Final = Shape(
    reservation_id_=is_text,
    status_=one_of("ACTIVE", "COMMITTED", "RELEASED", "EXPIRED"),
    subject_=is_object,
    action_=is_object,
    reserved_=AMOUNT,
    created_at_ms_=is_count,
    expires_at_ms_=is_count,
    scope_path_=is_text,
    affected_scopes_=is_texts,
    idempotency_key=is_text,
    finalized_at_ms=is_count,
    committed=AMOUNT,
    metadata=is_object,
    committed_metadata=is_object,
    evidence=is_object,
)
EVALUATED: Final[Mapping[str, Type | Shape | list[Shape]]] = {
    "decision_": one_of("ALLOW", "ALLOW_WITH_CAPS", "DENY"),
    "caps": CAPS,
    "reason_code": is_text,
    "retry_after_ms": is_count,
    "deny_detail": is_object,
    "cycles_evidence": is_object,
}
SHAPES: Final[dict[str, tuple[str, str, int, Shape]]] = {
    "RT-SHAPE-001": (
        "POST",
        "/v1/reservations",
        200,
        Shape(
            **EVALUATED,
            affected_scopes_=is_texts,
            reservation_id=is_text,
            expires_at_ms=is_count,
            remaining_ttl_ms=is_count,
            scope_path=is_text,
            reserved=AMOUNT,
            balances=[BALANCE],
        ),
    ),
    "RT-SHAPE-002": (
        "POST",
        f"/v1/reservations/{ID}/commit",
        200,
        Shape(
            status_=one_of("COMMITTED"),
            charged_=AMOUNT,
            released=AMOUNT,
            balances=[BALANCE],
            cycles_evidence=is_object,
        ),
    ),
    "RT-SHAPE-003": (
        "POST",
        f"/v1/reservations/{ID}/release",
        200,
        Shape(
            status_=one_of("RELEASED"),
            released_=AMOUNT,
            balances=[BALANCE],
            cycles_evidence=is_object,
        ),
    ),
    "RT-SHAPE-004": (
        "POST",
        f"/v1/reservations/{ID}/extend",
        200,
        Shape(
            status_=one_of("ACTIVE"),
            expires_at_ms_=is_count,
            remaining_ttl_ms=is_count,
            balances=[BALANCE],
        ),
    ),
    "RT-SHAPE-005": ("POST", "/v1/decide", 200, Shape(**EVALUATED, affected_scopes=is_texts)),
    "RT-SHAPE-006": (
        "POST",
        "/v1/events",
        201,
        Shape(status_=one_of("APPLIED"), event_id_=is_text, charged=AMOUNT, balances=[BALANCE]),
    ),
    "RT-SHAPE-007": (
        "GET",
        f"/v1/balances{OF_A_SUBJECT}",
        200,
        Shape(balances_=[BALANCE], next_cursor=is_text, has_more=is_flag),
    ),
    "RT-SHAPE-008": ("GET", f"/v1/reservations/{ID}", 200, ROW),
    "RT-SHAPE-009": (
        "GET",
        r"/v1/reservations(\?.*)?",
        200,
        Shape(reservations_=[ROW], next_cursor=is_text, has_more=is_flag),
    ),
}

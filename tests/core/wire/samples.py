"""Arbitrary ops and replies: what their types allow, and the few rules that types cannot say."""

from dataclasses import fields
from typing import Any, Final

from hypothesis import strategies as st

from runcycles.ops import (
    Allowed,
    BalancePage,
    Balances,
    Commit,
    Committed,
    Decide,
    Denied,
    Extend,
    Extended,
    GetReservation,
    ListReservations,
    Op,
    Record,
    Recorded,
    Release,
    Released,
    ReservationPage,
    ReservationView,
    Reserve,
)
from runcycles.types import Action, Caps, PolicyKeys, Subject, Usage


def any_of(made: type[Any], /, **given: Any) -> st.SearchStrategy[Any]:
    """A value of a dataclass, every field that is not given made up from its type."""
    return st.builds(made, **{**{field.name: ... for field in fields(made)}, **given})


NUMBERS = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
JSON = st.recursive(
    st.none() | st.booleans() | NUMBERS | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)
METADATA = st.none() | st.dictionaries(st.text(max_size=5), JSON, max_size=3)
NOT_BLANK = st.text(min_size=1, max_size=64).filter(str.strip)
SCOPE_VALUES = st.from_regex(r"[a-zA-Z0-9_.-]{1,9}", fullmatch=True)
LEVELS: Final = ["workspace", "app", "workflow", "agent", "toolset"]
SUBJECTS = any_of(
    Subject,
    tenant=SCOPE_VALUES,
    **dict.fromkeys(LEVELS, st.none() | SCOPE_VALUES),
    dimensions=st.none() | st.dictionaries(SCOPE_VALUES.map(str.lower), st.text(), max_size=3),
)
POLICY_KEYS = any_of(
    PolicyKeys, custom=st.none() | st.dictionaries(st.text(max_size=5), st.text(), max_size=3)
)
ACTIONS = any_of(Action, kind=NOT_BLANK, name=NOT_BLANK, policy_keys=st.none() | POLICY_KEYS)
USAGE = st.none() | any_of(Usage, custom=METADATA)
_ASKED: Final[dict[str, Any]] = {"subject": SUBJECTS, "action": ACTIONS, "metadata": METADATA}

WRITES: Final[dict[type[Op[Any]], st.SearchStrategy[Any]]] = {
    Reserve: any_of(Reserve, **_ASKED),
    Decide: any_of(Decide, **_ASKED),
    Record: any_of(Record, **_ASKED, metrics=USAGE),
    Commit: any_of(Commit, metadata=METADATA, metrics=USAGE),
    Release: any_of(Release),
    Extend: any_of(Extend, metadata=METADATA),
}
"""The ops that have a body."""

_LISTED: Final = st.none() | NOT_BLANK
READS: Final[dict[type[Op[Any]], st.SearchStrategy[Any]]] = {
    Balances: any_of(
        Balances, **dict.fromkeys(["tenant", *LEVELS], st.none() | SCOPE_VALUES), cursor=_LISTED
    ),
    GetReservation: any_of(GetReservation),
    ListReservations: any_of(
        ListReservations,
        **{
            field.name: _LISTED
            for field in fields(ListReservations)
            if field.name not in {"idempotency_key", "limit"}
        },
        idempotency_key=_LISTED,
    ),
}
"""The ops that have a query."""

_ALLOWED: Final = any_of(Allowed, affected_scopes=st.tuples(st.text()), observed=st.none())
_PREFLIGHT: Final = st.builds(
    Allowed, decision=..., affected_scopes=..., caps=st.none() | any_of(Caps)
)
_DENIED: Final = any_of(
    Denied,
    reason_code=st.text(min_size=1),
    retry_after_ms=st.none() | st.integers(0, 10**9),
    message=st.just(""),
    requested=st.none(),
    status=st.just(200),
    request_id=st.none(),
    trace_id=st.none(),
    observed=st.none(),
)
_VIEWS: Final = any_of(
    ReservationView,
    subject=SUBJECTS,
    action=ACTIONS,
    metadata=METADATA,
    committed_metadata=METADATA,
)
REPLIES: Final[dict[type[Op[Any]], st.SearchStrategy[Any]]] = {
    Reserve: _ALLOWED | _DENIED,
    Decide: _PREFLIGHT | _DENIED,
    Commit: any_of(Committed),
    Release: any_of(Released),
    Extend: any_of(Extended),
    Record: any_of(Recorded),
    Balances: any_of(BalancePage),
    GetReservation: _VIEWS,
    ListReservations: any_of(ReservationPage, reservations=st.lists(_VIEWS, max_size=2).map(tuple)),
}
"""What each op is answered with."""

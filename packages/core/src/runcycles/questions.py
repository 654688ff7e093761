"""Keyword arguments → ops: defaults filled in, keys made, and what can be checked early checked.

Both kinds of client and both kinds of guard build their questions here, so a parameter means the
same everywhere.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final, Literal, Required, TypedDict, TypeVar, Unpack, get_args

from runcycles.connection import Connection
from runcycles.errors import ConfigurationError
from runcycles.ids import new_id
from runcycles.measuring import Price
from runcycles.ops import (
    BalancePage,
    Balances,
    Commit,
    Decide,
    Extend,
    GetReservation,
    ListReservations,
    Record,
    Release,
    ReservationPage,
    Reserve,
)
from runcycles.settlement import OnError
from runcycles.types import (
    INT64_MAX,
    Action,
    Amount,
    Metadata,
    OveragePolicy,
    Subject,
    Unit,
    Usage,
)

MIN_TTL_MS: Final = 1_000
MAX_TTL_MS: Final = 86_400_000
MAX_GRACE_MS: Final = 60_000


OnAuthorityDown = Literal["stop", "run_and_record"]
_ON_AUTHORITY_DOWN: Final = get_args(OnAuthorityDown)


class Keyed(TypedDict, total=False):
    """`idempotency_key` is made where it is not given, and kept when a question is repeated."""

    idempotency_key: str | None
    metadata: Metadata | None


class Asked(Keyed, total=False):
    """`subject` is completed from the config level by level; `dimensions` are added to it."""

    action: Required[Action]
    subject: Subject | None
    dimensions: Mapping[str, str] | None


class Estimated(Asked, total=False):
    """`estimate` is an amount, or a count of `unit` (USD microcents where nothing is said)."""

    estimate: Required[Amount | int]
    unit: Unit


class Reserving(Estimated, total=False):
    """What is left out here is the authority's choice."""

    ttl_ms: int | None
    grace_period_ms: int | None
    overage_policy: OveragePolicy | None


class Guarding(Reserving, total=False):
    """How a guard settles, besides.

    `actual` is what the call will have used, or how a recorded usage becomes an amount.
    `on_error` says what becomes of the hold when an exception leaves and nothing was recorded.
    With `on_authority_down="run_and_record"` a call also runs when nobody could be asked.
    """

    actual: Amount | int | Price | None
    on_error: OnError | str | None
    on_authority_down: OnAuthorityDown


class Recording(Asked, total=False):
    """Spend that happened without a reservation."""

    actual: Required[Amount]
    overage_policy: OveragePolicy | None
    metrics: Usage | None
    client_time_ms: int | None


class Committing(Keyed, total=False):
    """What a reserved action really used."""

    actual: Required[Amount]
    metrics: Usage | None


class Scoped(TypedDict, total=False):
    """Filters; each one that is given must match."""

    tenant: str | None
    workspace: str | None
    app: str | None
    workflow: str | None
    agent: str | None
    toolset: str | None
    limit: int
    cursor: str | None


class BalanceFilter(Scoped, total=False):
    """Which balances to read; those of our tenant where nothing is said."""

    include_children: bool | None


class ReservationFilter(Scoped, total=False):
    """Which reservations to read, in which order. Windows are ISO 8601 with a zone, inclusive."""

    idempotency_key: str | None
    status: str | None
    created_from: str | None
    created_to: str | None
    expires_from: str | None
    expires_to: str | None
    finalized_from: str | None
    finalized_to: str | None
    sort_by: str | None
    sort_dir: str | None
    include: str | None


def reserve(
    connection: Connection, *, dry_run: bool = False, **asked: Unpack[Reserving]
) -> Reserve:
    """The question whether an action may happen, holding its estimate unless `dry_run`."""
    ttl_ms, grace_ms = asked.get("ttl_ms"), asked.get("grace_period_ms")
    _check_lease(ttl_ms, grace_ms)
    return Reserve(
        idempotency_key=asked.get("idempotency_key") or new_id(),
        subject=connection.subject_of(asked.get("subject"), asked.get("dimensions")),
        action=asked["action"],
        estimate=amount_of(asked["estimate"], asked.get("unit", Unit.USD_MICROCENTS)),
        ttl_ms=ttl_ms,
        grace_period_ms=grace_ms,
        overage_policy=asked.get("overage_policy"),
        dry_run=dry_run or None,
        metadata=asked.get("metadata"),
    )


def decide(connection: Connection, **asked: Unpack[Estimated]) -> Decide:
    """The question whether an action would be allowed now."""
    return Decide(
        idempotency_key=asked.get("idempotency_key") or new_id(),
        subject=connection.subject_of(asked.get("subject"), asked.get("dimensions")),
        action=asked["action"],
        estimate=amount_of(asked["estimate"], asked.get("unit", Unit.USD_MICROCENTS)),
        metadata=asked.get("metadata"),
    )


def record(connection: Connection, **asked: Unpack[Recording]) -> Record:
    """Spend that happened without a reservation."""
    return Record(
        idempotency_key=asked.get("idempotency_key") or new_id(),
        subject=connection.subject_of(asked.get("subject"), asked.get("dimensions")),
        action=asked["action"],
        actual=asked["actual"],
        overage_policy=asked.get("overage_policy"),
        metrics=asked.get("metrics"),
        client_time_ms=asked.get("client_time_ms"),
        metadata=asked.get("metadata"),
    )


def commit(reservation_id: str, **asked: Unpack[Committing]) -> Commit:
    """The end of a reservation whose action happened."""
    return Commit(
        idempotency_key=asked.get("idempotency_key") or new_id(),
        reservation_id=_checked_id(reservation_id),
        actual=asked["actual"],
        metrics=asked.get("metrics"),
        metadata=asked.get("metadata"),
    )


def release(reservation_id: str, *, reason: str | None, idempotency_key: str | None) -> Release:
    """The end of a reservation whose action did not happen."""
    return Release(
        idempotency_key=idempotency_key or new_id(),
        reservation_id=_checked_id(reservation_id),
        reason=reason,
    )


def extend(reservation_id: str, extend_by_ms: int, **asked: Unpack[Keyed]) -> Extend:
    """More time for a reservation."""
    _check_range("extend_by_ms", extend_by_ms, 1, MAX_TTL_MS)
    return Extend(
        idempotency_key=asked.get("idempotency_key") or new_id(),
        reservation_id=_checked_id(reservation_id),
        extend_by_ms=extend_by_ms,
        metadata=asked.get("metadata"),
    )


def reservation(reservation_id: str) -> GetReservation:
    """One reservation by its id."""
    return GetReservation(reservation_id=_checked_id(reservation_id))


def balances(connection: Connection, **wanted: Unpack[BalanceFilter]) -> Balances:
    """Balances, by default those of the tenant."""
    given: dict[str, Any] = {**wanted}
    if not set(given) - {"limit", "cursor", "include_children"}:
        given["tenant"] = connection.subject_of().tenant
    return Balances(**given)


Page = TypeVar("Page", Balances, ListReservations)


def next_page(op: Page, answer: BalancePage | ReservationPage) -> Page | None:
    """The question for the page after this answer, if there is one."""
    return replace(op, cursor=answer.next_cursor) if answer.next_cursor else None


def amount_of(value: Amount | int, unit: Unit) -> Amount:
    """An amount, or a count of a unit.

    Raises:
        ConfigurationError: for anything else, and outside of 0 … 2⁶³ − 1.
    """
    count = value.amount if isinstance(value, Amount) else value
    if type(count) is not int or not 0 <= count <= INT64_MAX:
        raise ConfigurationError(
            f"{value!r} is not an amount; give a whole number from 0 to {INT64_MAX}, "
            'or e.g. usd("0.01")'
        )
    return value if isinstance(value, Amount) else Amount(unit=unit, amount=count)


def amount_in(value: Amount | int, unit: Unit) -> Amount:
    """An amount that has to be of this unit.

    Raises:
        ConfigurationError: where it is not.
    """
    amount = amount_of(value, unit)
    if amount.unit != unit:
        raise ConfigurationError(f"the estimate is in {unit}, so {value!r} cannot be its actual")
    return amount


def on_error_of(value: OnError | str) -> OnError:
    """What becomes of a hold when an exception leaves.

    Raises:
        ConfigurationError: for an unknown word.
    """
    try:
        return OnError(value)
    except ValueError:
        raise ConfigurationError(
            f"on_error is {value!r}; choose one of {', '.join(OnError)}"
        ) from None


def runs_unasked(on_authority_down: str) -> bool:
    """Whether a call runs although nobody could be asked.

    Raises:
        ConfigurationError: for an unknown word.
    """
    if on_authority_down not in _ON_AUTHORITY_DOWN:
        raise ConfigurationError(
            f"on_authority_down is {on_authority_down!r}; choose one of "
            + ", ".join(_ON_AUTHORITY_DOWN)
        )
    return on_authority_down == "run_and_record"


def check(options: Mapping[str, Any]) -> None:
    """Find now what would be found wrong with a guard's options at its first call.

    Raises:
        ConfigurationError: naming the option.
    """
    unit = options.get("unit", Unit.USD_MICROCENTS)
    if "estimate" in options:
        unit = amount_of(options["estimate"], unit).unit
        if "actual" in options:
            amount_in(options["actual"], unit)
    if "on_error" in options:
        on_error_of(options["on_error"])
    runs_unasked(options.get("on_authority_down", "stop"))
    _check_lease(options.get("ttl_ms"), options.get("grace_period_ms"))


def _check_lease(ttl_ms: int | None, grace_ms: int | None) -> None:
    if ttl_ms is not None:
        _check_range("ttl_ms", ttl_ms, MIN_TTL_MS, MAX_TTL_MS)
    if grace_ms is not None:
        _check_range("grace_period_ms", grace_ms, 0, MAX_GRACE_MS)


def _check_range(name: str, value: int, least: int, most: int) -> None:
    if type(value) is not int or not least <= value <= most:
        raise ConfigurationError(f"{name} is {value!r}; it has to be from {least} to {most}")


def _checked_id(reservation_id: str) -> str:
    """Ids go into paths, where these would mean something else."""
    if reservation_id in {"", ".", ".."}:
        raise ConfigurationError(f"{reservation_id!r} is not the id of a reservation")
    return reservation_id

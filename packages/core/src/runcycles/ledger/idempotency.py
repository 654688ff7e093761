"""Same key, same request: the same reply. Same key, another request: a conflict.

Wraps any rule. Only what succeeded is remembered, so a refused request may be repeated with its
key. A replay wins over everything that changed since: it describes the past.
"""

from collections.abc import Callable
from typing import Final, Generic, SupportsBytes, TypeVar

from runcycles.ledger.refusals import key_reused
from runcycles.ledger.state import (
    Key,
    Need,
    Outcome,
    Record,
    Remembered,
    Snapshot,
    frozen_record,
    reservation_key,
)
from runcycles.ops import Refused
from runcycles.types import ReservationStatus

DAY_MS: Final = 86_400_000
ASKED_FOR_MS: Final = DAY_MS
"""Replies that hold nothing (decide, dry run) are kept a day, as the reference server does."""
HELD_FOR_MS: Final = 30 * DAY_MS
"""Replies about a reservation are kept as long as its finished row."""
RECORDED_FOR_MS: Final = 7 * DAY_MS
"""Replies to direct debits are kept a week."""

R_co = TypeVar("R_co", covariant=True)
R = TypeVar("R")


@frozen_record(kw_only=False)
class Answered(Generic[R_co]):
    """A fresh answer, and its reply as it is remembered; balances are in the reply alone."""

    value: R_co
    reply: SupportsBytes

    @property
    def raw(self) -> bytes:
        """The bytes of the reply."""
        return bytes(self.reply)


@frozen_record(kw_only=False)
class Replayed:
    """An earlier answer, byte for byte; only the lease's remaining time is of this moment."""

    raw: bytes
    remaining_ttl_ms: int | None


Answer = Answered[R] | Replayed | Refused
"""What a transition of the ledger replies."""


@frozen_record()
class Keyed(Generic[R]):
    """One keyed request: where its reply is remembered, and how an outcome becomes its bytes."""

    tenant: str
    endpoint: str
    idempotency_key: str
    fingerprint: bytes
    encode: Callable[[Outcome[R]], SupportsBytes]

    @property
    def key(self) -> Key:
        """The key of the remembered reply."""
        return ("reply", self.tenant, self.endpoint, self.idempotency_key)


def replay(snapshot: Snapshot, keyed: Keyed[R]) -> Outcome[Answer[R]] | Need | None:
    """The remembered reply, a conflict, or None where this request is new."""
    found = snapshot.remembered(keyed.key)
    if found is None:
        return None
    if found.fingerprint != keyed.fingerprint:
        return Outcome(key_reused(keyed.endpoint.partition("/")[0]))
    if found.lease_expires_at_ms is None or found.reservation_id is None:
        return Outcome(Replayed(bytes(found.reply), None))
    if missing := snapshot.missing((reservation_key(found.reservation_id),)):
        return Need(missing)
    reservation = snapshot.reservation(found.reservation_id)
    if reservation is None or reservation.status is not ReservationStatus.ACTIVE:
        return Outcome(Replayed(bytes(found.reply), 0))
    remaining_ttl_ms = max(0, found.lease_expires_at_ms - snapshot.now_ms)
    return Outcome(Replayed(bytes(found.reply), remaining_ttl_ms))


def remember(
    outcome: Outcome[R] | Refused,
    keyed: Keyed[R],
    *,
    until_ms: int,
    reservation_id: str | None = None,
    lease_expires_at_ms: int | None = None,
    seen: tuple[Record, ...] = (),
) -> Outcome[Answer[R]]:
    """The outcome with its reply kept under the key; of a refusal only what was `seen` is kept."""
    if isinstance(outcome, Refused):
        return Outcome(outcome, seen)
    reply = keyed.encode(outcome)
    kept = Remembered(
        tenant=keyed.tenant,
        endpoint=keyed.endpoint,
        idempotency_key=keyed.idempotency_key,
        fingerprint=keyed.fingerprint,
        reply=reply,
        expires_at_ms=until_ms,
        reservation_id=reservation_id,
        lease_expires_at_ms=lease_expires_at_ms,
    )
    return Outcome(Answered(outcome.reply, reply), (*outcome.changes, *seen, kept))

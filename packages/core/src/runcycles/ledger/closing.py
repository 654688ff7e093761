"""What becomes of a tenant's money when the tenant is closed: holds go back, budgets end.

Unlike a release this asks neither for the tenant's state nor for the time: what is closed holds
nothing, overdue or not.
"""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any, Final

from runcycles.ledger.lifecycle import Step, after
from runcycles.ledger.state import Account, Key, Record, Reservation, Snapshot
from runcycles.types import BudgetStatus

TENANT_CLOSED: Final = "tenant_closed"
"""Why a reservation was released, in the protocol's word."""


def end(snapshot: Snapshot, keys: Iterable[Key]) -> dict[Key, Record]:
    """The reservations and budgets under these keys at their end, and the accounts freed by it.

    What has ended already is left as it is. Reservations are to be named before budgets: a budget
    then ends without holds, and with its other figures as they were.
    """
    seen: dict[Key, Any] = dict(snapshot.records)
    changed: dict[Key, Record] = {}
    for key in keys:
        for record in _ended(seen[key], Snapshot(snapshot.now_ms, seen)):
            seen[record.key] = changed[record.key] = record
    return changed


def _ended(found: Any, snapshot: Snapshot) -> tuple[Record, ...]:
    match found:
        case Reservation():
            return _given_back(found, snapshot)
        case Account(status=BudgetStatus.ACTIVE | BudgetStatus.FROZEN):
            budget = replace(found.budget, updated_at_ms=snapshot.now_ms)
            return (replace(found, status=BudgetStatus.CLOSED, budget=budget),)
        case _:
            return ()


def _given_back(reservation: Reservation, snapshot: Snapshot) -> tuple[Record, ...]:
    status = after(reservation.status, Step.RELEASE)
    if status is None:
        return ()
    held = reservation.estimate.amount
    accounts = snapshot.accounts(reservation.account_keys)
    released = replace(
        reservation,
        status=status,
        finalized_at_ms=snapshot.now_ms,
        release_reason=TENANT_CLOSED,
    )
    return (*(account.moved(reserved=-held) for account in accounts), released)

"""What an operator gives back on behalf of a tenant is written down with the giving back."""

from typing import Any

from runcycles.ledger.idempotency import Answer
from runcycles.ledger.state import Need, Outcome, Reservation, Snapshot, Transition
from runcycles.ops import Release, Released
from runcycles_server.governance.audit.deeds import Actor, Deed, with_entry


def audited_release(
    transition: Transition[Answer[Released]], op: Release, actor: Actor
) -> Transition[Answer[Released]]:
    """The release with its audit entry; a refused or a repeated one changes nothing, so no entry.

    Whose reservation it is, the transition alone finds out.
    """

    def release_and_entry(snapshot: Snapshot) -> Outcome[Answer[Released]] | Need:
        outcome = transition(snapshot)
        reservation = snapshot.reservation(op.reservation_id)
        if isinstance(outcome, Need) or reservation is None:
            return outcome
        deed = Deed(
            operation="releaseReservation",
            resource_type="reservation",
            resource_id=op.reservation_id,
            tenant=reservation.tenant,
            metadata={} if op.reason is None else {"reason": op.reason},
            part=_reservation,
        )
        return with_entry(snapshot, outcome, deed, actor)

    return release_and_entry


def _reservation(record: Any) -> Reservation | None:
    """The one record that says it all; the budgets follow from it."""
    return record if isinstance(record, Reservation) else None

"""The life of a reservation, as a table. What is not in it is refused."""

from enum import StrEnum
from typing import Final

from runcycles.types import ReservationStatus


class Step(StrEnum):
    """What can be done to a reservation."""

    COMMIT = "commit"
    RELEASE = "release"
    EXTEND = "extend"
    EXPIRE = "expire"


TRANSITIONS: Final = {
    (ReservationStatus.ACTIVE, Step.COMMIT): ReservationStatus.COMMITTED,
    (ReservationStatus.ACTIVE, Step.RELEASE): ReservationStatus.RELEASED,
    (ReservationStatus.ACTIVE, Step.EXTEND): ReservationStatus.ACTIVE,
    (ReservationStatus.ACTIVE, Step.EXPIRE): ReservationStatus.EXPIRED,
}


def after(status: ReservationStatus, step: Step) -> ReservationStatus | None:
    """The status after a step, or None where the step is not allowed."""
    return TRANSITIONS.get((status, step))

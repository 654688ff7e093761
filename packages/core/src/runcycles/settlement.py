"""How a guarded call is settled: how it ended × what was measured × what its user wants.

Pure. What is held for a call that may have spent something is never simply given back.

| the call …                         | measured   | `on_error`        | settled by            |
|------------------------------------|------------|-------------------|-----------------------|
| returned                           | an amount  | –                 | commit that amount    |
| returned                           | nothing    | –                 | commit the estimate ¹ |
| returned                           | unreadable | –                 | commit the estimate ² |
| raised an ordinary exception       | an amount  | –                 | commit that amount    |
| raised an ordinary exception       | nothing    | `release`         | release               |
| raised an ordinary exception       | nothing    | `commit_estimate` | commit the estimate ¹ |
| raised an ordinary exception       | unreadable | –                 | commit the estimate ² |
| was cut off (cancelled, timed out) | an amount  | –                 | commit that amount    |
| was cut off                        | nothing    | –                 | commit the estimate ¹ |
| was cut off                        | unreadable | –                 | commit the estimate ² |

¹ Marked with `actual_source: estimate` in the commit's metadata.
² Likewise; or what is known to be spent, where that is more.
"""

from dataclasses import dataclass
from enum import Enum, StrEnum, auto
from http import HTTPStatus
from typing import Final

MARK: Final = {"actual_source": "estimate"}
"""Says in a commit's metadata that nobody measured its amount."""


class OnError(StrEnum):
    """What becomes of the hold when an ordinary exception leaves and nothing was measured."""

    RELEASE = "release"
    COMMIT_ESTIMATE = "commit_estimate"


class Ended(Enum):
    """How a guarded call came to its end."""

    RETURNED = auto()
    RAISED = auto()
    CUT_OFF = auto()


_WAITED_TOO_LONG: Final = frozenset(
    {"TimeoutError", "TimeoutException", "Timeout", "APITimeoutError", "CancelledError"}
)
"""Class names by which HTTP and model libraries, which we do not import, say that they gave up."""

_NEVER_SENT: Final = frozenset({"ConnectTimeout", "ConnectTimeoutError", "PoolTimeout"})
"""Their timeouts that come before anything was sent: ordinary exceptions."""


def ended_by(error: BaseException | None) -> Ended:
    """How a call ended that this left.

    Whatever is not an `Exception` (cancellation, `GeneratorExit`, `KeyboardInterrupt`) cuts a call
    off, and so does a timeout: what was asked for may be running, and billed, elsewhere.
    """
    if error is None:
        return Ended.RETURNED
    if not isinstance(error, Exception):
        return Ended.CUT_OFF
    names = {kind.__name__ for kind in type(error).__mro__}
    if names & _WAITED_TOO_LONG and not names & _NEVER_SENT:
        return Ended.CUT_OFF
    return Ended.RAISED


@dataclass(frozen=True, slots=True)
class Measured:
    """What is known of a call's use: `amount` so far, and whether some of it could not be read."""

    amount: int | None = None
    unreadable: bool = False


@dataclass(frozen=True, slots=True)
class CommitThis:
    """Charge this much; `is_estimate` where nobody measured it."""

    amount: int
    is_estimate: bool


@dataclass(frozen=True, slots=True)
class GiveBack:
    """Release the hold, whole."""


def settlement(
    ended: Ended, measured: Measured, *, estimate: int, on_error: OnError
) -> CommitThis | GiveBack:
    """The row of the table that applies."""
    if measured.unreadable:
        return CommitThis(max(estimate, measured.amount or 0), is_estimate=True)
    if measured.amount is not None:
        return CommitThis(measured.amount, is_estimate=False)
    if ended is Ended.RAISED and on_error is OnError.RELEASE:
        return GiveBack()
    return CommitThis(estimate, is_estimate=True)


def nothing_ran(error: BaseException) -> bool:
    """Whether an error proves that the provider did no work: no connection, or an error status."""
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        answered = getattr(current, "response", None)
        status = getattr(current, "status_code", getattr(answered, "status_code", None))
        if type(status) is int and status >= HTTPStatus.BAD_REQUEST:
            return True
        if {kind.__name__ for kind in type(current).__mro__} & _NOT_CONNECTED:
            return True
        current = current.__cause__  # not the context: that may be an earlier attempt's
    return False


_NOT_CONNECTED: Final = frozenset(
    {"ConnectError", "ConnectTimeout", "PoolTimeout", "ConnectionRefusedError"}
)
"""Class names by which HTTP libraries, which we do not import, say that nothing was sent."""

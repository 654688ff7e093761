"""What code inside a guard may know and say about the call it is part of."""

from collections.abc import Callable
from contextlib import suppress
from contextvars import ContextVar, Token
from threading import Lock
from typing import Any, Final

from runcycles.measuring import Meter, Price
from runcycles.ops import Allowed, Decision, Reserve
from runcycles.transports import Sending
from runcycles.types import Action, Amount, Caps, Subject, Usage

NO_CAPS: Final = Caps()
"""Nothing is limited."""


class Spend:
    """One guarded call, from the inside.

    `decision` is the authority's answer; None before it is asked, and in shadow mode where it
    could not be. `metadata` is sent with the commit. `result` may be set to what the call
    returned: an error about its settlement then keeps it.
    """

    __slots__ = (
        "__weakref__",
        "_meter",
        "_reserve",
        "_sending",
        "_settling",
        "decision",
        "metadata",
        "result",
    )

    def __init__(self, reserve: Reserve, price: Price | None) -> None:
        self._reserve = reserve
        self._meter = Meter(reserve.estimate.unit, price)
        self._settling = Lock()
        self._sending = Sending(reserve.idempotency_key)
        self.decision: Decision | None = None
        self.metadata: dict[str, Any] = {}
        self.result: Any = None

    @property
    def subject(self) -> Subject:
        """Who spends, with the config's defaults filled in."""
        return self._reserve.subject

    @property
    def action(self) -> Action:
        """What is being done."""
        return self._reserve.action

    @property
    def estimate(self) -> Amount:
        """What was asked for, and is held."""
        return self._reserve.estimate

    @property
    def reservation_id(self) -> str | None:
        """The authority's id of the hold; None where the answer only tells, which holds nothing."""
        decision = self.decision
        return decision.reservation_id if isinstance(decision, Allowed) else None

    @property
    def is_observed(self) -> bool:
        """Whether the answer only tells: in shadow mode, or where the authority observes."""
        return bool(self._reserve.dry_run or (self.decision and self.decision.observed))

    @property
    def caps(self) -> Caps:
        """The limits that came with the permission; where the answer only tells there are none."""
        decision = self.decision
        if self.is_observed or not isinstance(decision, Allowed):
            return NO_CAPS
        return decision.caps or NO_CAPS

    @property
    def trace_id(self) -> str:
        """The trace of everything that is asked about this call, 32 hex digits."""
        return self._sending.trace_id

    def record(self, *measured: Usage | Amount | int) -> None:
        """Add what one step used; any number of times, from any thread.

        An amount, or a count of the estimate's unit, is charged as it is. A `Usage` is priced by
        the guard's `actual=`, or counted where the unit is tokens, unless an amount stands next
        to it: `record(usage, usd("0.003"))`. It is sent with the commit either way.

        Raises:
            TypeError, ValueError: for anything else. The estimate is charged then: something ran.
            RuntimeError: when the guard has been settled.
        """
        if self._settling.locked():
            raise RuntimeError("this guard is settled; what is recorded now would be lost")
        self._meter.record(*measured)

    def remaining(self) -> int:
        """How much of the estimate is not used yet; negative when more was recorded."""
        return self.estimate.amount - (self._meter.amount or 0)

    def measure(self, read: Callable[[], Amount | int | None]) -> None:
        """Take what the whole call used from `read()`, in place of what was recorded.

        Where that raises, the estimate is charged and a warning logged; None says nothing.
        """
        self._meter.measure(read)


_current: ContextVar[Spend | None] = ContextVar("runcycles_reservation", default=None)


def current_reservation() -> Spend | None:
    """The innermost guard around the running code, in this thread or task."""
    return _current.get()


def enter(spend: Spend) -> Token[Spend | None]:
    """Make this the current reservation."""
    return _current.set(spend)


def leave(token: Token[Spend | None]) -> None:
    """Make the one before current again; in a context that is not the token's, nothing is."""
    with suppress(ValueError):
        _current.reset(token)

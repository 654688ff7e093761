"""What goes wrong, as data: which call of which run fails, and how.

A fault is written `[run:]kind@calls[=value]`. Calls are `3` (that call, counted from 1), `every-3`
(calls 3, 6, 9, …) or `*` (all of them); every request is a call, the failed ones included.

    429@3=0.5      call 3 is answered 429 with Retry-After; the value is in seconds, 1 if left out
    500@every-3    every third call is answered 500
    guarded:drop@7 the connection closes without a reply, on call 7 of run "guarded"
    delay@*=250    every reply comes 250 ms later than it would have
    malformed@2    200, but the JSON breaks off in the middle
    cut@2=5        the connection closes in the middle: after 5 events, or after half of a document
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from http import HTTPStatus
from typing import Self

from runcycles.testing.model_server.requests import RUN_NAME


class FaultKind(StrEnum):
    """The ways in which a call can go wrong."""

    STATUS = "status"
    DROP = "drop"
    DELAY = "delay"
    MALFORMED = "malformed"
    CUT = "cut"


_END_OF_ERRORS = 600

_SPEC = re.compile(
    rf"(?:(?P<run>{RUN_NAME.pattern}):)?"
    r"(?P<kind>[45]\d\d|drop|delay|malformed|cut)"
    r"@(?:(?P<every>every-)?(?P<call>[1-9]\d*)|\*)"
    r"(?:=(?P<value>\d+(?:\.\d+)?))?"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One rule for failing calls; see the module's text for the written form.

    A call refused with a status is not billed; one whose reply was lost or spoilt is, because the
    model did the work.
    """

    kind: FaultKind
    run: str | None = None  # None: every run
    call: int | None = None  # None: every call
    repeats: bool = False  # every `call`-th call instead of only that one
    status: int = HTTPStatus.INTERNAL_SERVER_ERROR
    retry_after_s: float = 1.0  # told with a 429
    delay_ms: float = 0.0
    events: int = 1  # how many events of a stream get through before the cut

    def __post_init__(self) -> None:
        if not HTTPStatus.BAD_REQUEST <= self.status < _END_OF_ERRORS:
            raise ValueError(f"a fault answers a status of 400 to 599, not {self.status}")
        if self.call is not None and self.call < 1:
            raise ValueError("calls are counted from 1")
        if self.retry_after_s < 0 or self.delay_ms < 0 or self.events < 0:
            raise ValueError("a fault's times and numbers are zero or more")

    @classmethod
    def parse(cls, spec: str) -> Self:
        """Read the written form of a fault.

        Raises:
            ValueError: the text is not a fault.
        """
        found = _SPEC.fullmatch(spec)
        if found is None:
            raise ValueError(
                f"{spec!r} is not a fault; one looks like 429@3, lane:drop@7, delay@*=250"
            )
        word, value = found["kind"], found["value"]
        kind = FaultKind.STATUS if word.isdigit() else FaultKind(word)
        if value is not None and kind in (FaultKind.DROP, FaultKind.MALFORMED):
            raise ValueError(f"{spec!r}: {word} takes no value")
        if value is None and kind is FaultKind.DELAY:
            raise ValueError(f"{spec!r}: delay needs its milliseconds, as in delay@3=250")
        return cls(
            kind=kind,
            run=found["run"],
            call=int(found["call"]) if found["call"] else None,
            repeats=bool(found["every"]),
            status=int(word) if word.isdigit() else HTTPStatus.INTERNAL_SERVER_ERROR,
            retry_after_s=float(value) if value and kind is FaultKind.STATUS else 1.0,
            delay_ms=float(value) if value and kind is FaultKind.DELAY else 0.0,
            events=int(float(value)) if value and kind is FaultKind.CUT else 1,
        )

    def hits(self, *, run: str, call: int) -> bool:
        """Return whether this call of this run fails by this rule."""
        if self.run is not None and self.run != run:
            return False
        if self.call is None:
            return True
        return call % self.call == 0 if self.repeats else call == self.call

    @property
    def billed(self) -> bool:
        """Whether the provider bills a call that fails in this way."""
        return self.kind is not FaultKind.STATUS

    def __str__(self) -> str:
        return str(self.status) if self.kind is FaultKind.STATUS else self.kind.value


def read_faults(faults: Iterable[Fault | str]) -> tuple[Fault, ...]:
    """Return the faults, the written ones parsed."""
    return tuple(Fault.parse(fault) if isinstance(fault, str) else fault for fault in faults)


def faults_of(faults: Iterable[Fault], *, run: str, call: int) -> tuple[Fault | None, float]:
    """Return the first fault that spoils this call, and the sum of its delays in seconds."""
    hits = [fault for fault in faults if fault.hits(run=run, call=call)]
    spoilers = [fault for fault in hits if fault.kind is not FaultKind.DELAY]
    return next(iter(spoilers), None), sum(fault.delay_ms for fault in hits) / 1000

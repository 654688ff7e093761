"""Our errors as a framework obeys them: still ours, and of the kind that ends its run.

A framework makes another attempt, or a text for the model, of most errors that leave a call. Each
has its own kind that it leaves alone. So whatever leaves an adapter is both: our error, with its
class and its fields, and one of the framework's. The adapter says which, by a class of its own:
`class RunStopped(StopsRun, GraphBubbleUp)`.
"""

from functools import cache
from typing import Any, Self, cast

from runcycles.errors import CyclesError


class StopsRun(Exception):  # noqa: N818 - it is no error of its own
    """What every error of an adapter is besides its own class; `refused` is the plain error."""

    refused: CyclesError

    @classmethod
    def of(cls, error: CyclesError | Self) -> Self:
        """The same error, as one that ends the run."""
        if isinstance(error, cls):
            return error
        plain: Any = type(error)
        kind = _both(cast("Any", cls), plain)
        same: Self = kind.__new__(kind, *error.args)
        same.__dict__.update(vars(error), refused=error)
        same.complete()
        return same

    def complete(self) -> None:
        """Add what the framework reads on errors of its own."""

    def __reduce__(self) -> tuple[Any, ...]:
        stop: Any = type(self).__bases__[0]
        return (stop.of, (self.refused,))


@cache
def _both(stop: Any, kind: Any) -> Any:
    return type(kind.__name__, (stop, kind), {"__doc__": kind.__doc__})


class Stopping:
    """Around what an adapter does: an error of ours leaves it as one that ends the run."""

    __slots__ = ("_stop",)

    def __init__(self, stop: type[StopsRun]) -> None:
        self._stop = stop

    def stopped(self, error: CyclesError) -> StopsRun:
        """The error that leaves."""
        return self._stop.of(error)

    def __enter__(self) -> None:
        """Nothing is done before."""

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, CyclesError) and not isinstance(error, self._stop):
            raise self.stopped(error) from error.__cause__

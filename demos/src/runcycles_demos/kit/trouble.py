"""How a demo ends when it cannot say yes or no: the machine failed, or somebody stopped it."""

import signal
from types import FrameType, TracebackType
from typing import Self

EXIT_HELD = 0
EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_ENVIRONMENT = 3
EXIT_INTERRUPTED = 130


class StackError(Exception):
    """Something the demo stands on did not work; says nothing about the claim."""


class StoppedError(Exception):
    """Somebody asked the demo to stop."""


class Interruptions:
    """Turns SIGINT, SIGTERM and SIGHUP into an exception raised where it is safe to stop.

    An exception out of a signal handler could strike between the start of a process and the note
    that it was started; a flag that is read between two steps cannot.
    """

    def __init__(self) -> None:
        self._asked = False
        self._before: dict[signal.Signals, object] = {}

    def check(self) -> None:
        """Raise if somebody asked to stop.

        Raises:
            StoppedError: somebody did.
        """
        if self._asked:
            raise StoppedError

    def __enter__(self) -> Self:
        for name in ("SIGINT", "SIGTERM", "SIGHUP"):
            if hasattr(signal, name):
                number = signal.Signals[name]
                self._before[number] = signal.signal(number, self._ask)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]  # what signal.signal returned

    def _ask(self, _signum: int, _frame: FrameType | None) -> None:
        self._asked = True

"""An observer of the agent's steps, from outside of the guard and from inside of it.

Both lanes are watched alike. It counts where the numbers arise: whether a body was entered is
counted in the body. It also holds the cut-off, which is the same for both lanes.
"""

import functools
import time
from collections.abc import Callable
from typing import Any, ParamSpec, Protocol, TypeVar

from runcycles_demos.runaway.agent import Steps

P = ParamSpec("P")
R = TypeVar("R")


class CutOffError(Exception):
    """The lane has had its share of time or calls; an operator would have stopped it here."""


class Tell(Protocol):
    """Hands one fact on to whoever watches."""

    def __call__(self, kind: str, t: float, /, **facts: Any) -> None:
        """Tell that this happened at this moment."""
        ...


class Watch:
    """Counts calls, bodies and answers of one lane, and tells of each."""

    def __init__(self, tell: Tell, *, cut_s: float | None, cut_calls: int | None) -> None:
        self.started = self.entered = self.answered = 0
        self.began = 0.0
        self._tell = tell
        self._cut_s, self._cut_calls = cut_s, cut_calls
        self._asked_at = self._left_at = 0.0

    def inside(self, steps: Steps) -> Steps:
        """Return steps whose bodies are counted; a guard goes around these."""
        return Steps(
            draft=self._body(steps.draft),
            evaluate=self._body(steps.evaluate),
            refine=self._body(steps.refine),
        )

    def outside(self, steps: Steps) -> Steps:
        """Return steps that are counted when they are called and when they come back."""
        return Steps(
            draft=self._call(steps.draft),
            evaluate=self._call(steps.evaluate),
            refine=self._call(steps.refine),
        )

    def _body(self, step: Callable[P, R]) -> Callable[P, R]:
        @functools.wraps(step)
        def body(*args: P.args, **kwargs: P.kwargs) -> R:
            entered_at = time.monotonic()
            self.entered += 1
            before_ms = (entered_at - self._asked_at) * 1000
            self._tell("body_entered", entered_at, call=self.started, before_ms=before_ms)
            result = step(*args, **kwargs)
            self._left_at = time.monotonic()
            return result

        return body

    def _call(self, step: Callable[P, R]) -> Callable[P, R]:
        @functools.wraps(step)
        def call(*args: P.args, **kwargs: P.kwargs) -> R:
            self._cut()
            self.started += 1
            number = self.started
            self._tell("call_started", time.monotonic(), call=number, step=step.__name__)
            self._asked_at = time.monotonic()
            result = step(*args, **kwargs)
            back_at = time.monotonic()
            self.answered += 1
            score = {"score": result} if isinstance(result, float) else {}
            after_ms = (back_at - self._left_at) * 1000
            self._tell("call_finished", back_at, call=number, after_ms=after_ms, **score)
            return result

        return call

    def _cut(self) -> None:
        now = time.monotonic()
        if self.started == 0:
            self.began = now
        too_late = self._cut_s is not None and now - self.began >= self._cut_s
        if too_late or self.started == self._cut_calls:
            raise CutOffError

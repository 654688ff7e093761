"""An observer of the agent's steps, from outside of the guard and from inside of it.

All lanes are watched alike. It counts where the numbers arise: whether a body was entered is
counted in the body, where the request is about to leave for the model. It also holds the cut-off,
which is the same for all lanes.
"""

import functools
import time
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from runcycles_demos.kit.telling import Tell
from runcycles_demos.runaway.agent import Steps

P = ParamSpec("P")
R = TypeVar("R")


class CutOffError(Exception):
    """The lane has had its share of time or calls; an operator would have stopped it here."""


class Watch:
    """Counts calls, bodies and answers of one lane, and tells of each."""

    def __init__(self, tell: Tell, *, cut_s: float | None, cut_calls: int | None) -> None:
        self.started = self.entered = self.answered = 0
        self.began = 0.0
        self._tell = tell
        self._cut_s, self._cut_calls = cut_s, cut_calls

    def enter(self) -> None:
        """Count a body that is entered; called from inside of it."""
        self.entered += 1
        self._tell("body_entered", time.monotonic(), call=self.started)

    def inside(self, body: Callable[P, R]) -> Callable[P, R]:
        """Return a body that is counted; a guard goes around this."""

        @functools.wraps(body)
        def counted(*args: P.args, **kwargs: P.kwargs) -> R:
            self.enter()
            return body(*args, **kwargs)

        return counted

    def outside(self, steps: Steps) -> Steps:
        """Return steps that are counted when they are called and when they come back."""
        return Steps(
            draft=self._call(steps.draft),
            evaluate=self._call(steps.evaluate),
            refine=self._call(steps.refine),
        )

    def _call(self, step: Callable[P, R]) -> Callable[P, R]:
        @functools.wraps(step)
        def call(*args: P.args, **kwargs: P.kwargs) -> R:
            self._cut()
            self.started += 1
            number = self.started
            self._tell("call_started", time.monotonic(), call=number, step=step.__name__)
            result = step(*args, **kwargs)
            self.answered += 1
            score = {"score": result} if isinstance(result, float) else {}
            self._tell("call_finished", time.monotonic(), call=number, **score)
            return result

        return call

    def _cut(self) -> None:
        now = time.monotonic()
        if self.started == 0:
            self.began = now
        too_late = self._cut_s is not None and now - self.began >= self._cut_s
        if too_late or self.started == self._cut_calls:
            raise CutOffError

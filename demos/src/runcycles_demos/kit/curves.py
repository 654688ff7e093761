"""What a plot shows, before it is drawn: step curves, a limit, a marked moment, two axes."""

import bisect
import math
from collections.abc import Sequence
from dataclasses import dataclass

_NICE = (1.0, 2.0, 3.0, 5.0, 10.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """A value that keeps its last step until the next one; starts at zero."""

    name: str
    summary: str  # what it came to, in a few words
    steps: Sequence[tuple[float, float]]  # (seconds, value from then on), in order
    until: float  # how far it is known

    @property
    def last(self) -> float:
        """The value at its end."""
        return self.steps[-1][1] if self.steps else 0.0

    def at(self, t: float) -> float:
        """Return the value at a moment."""
        index = bisect.bisect_right(self.steps, t, key=lambda step: step[0])
        return self.steps[index - 1][1] if index else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A moment worth pointing at."""

    t: float
    value: float
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Plot:
    """Everything on one picture; later curves are drawn over earlier ones, in other styles."""

    title: str
    caption: Sequence[str]
    curves: tuple[Curve, ...]
    limit: float
    limit_text: str
    mark: Mark | None
    seconds: float  # length of the time axis
    top: float  # height of the value axis
    unit: str = "$"  # what stands before a value

    def label(self, value: float) -> str:
        """Return a value of its axis in words."""
        return f"{self.unit}{value:g}"


def ticks(length: float, *, about: int) -> list[float]:
    """Return round numbers from zero to a length, roughly so many of them."""
    if length <= 0:
        return [0.0]
    rough = length / about
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(nice * power for nice in _NICE if nice * power >= rough * 0.999)
    return [round(step * i, 10) for i in range(int(length / step * 1.0001) + 1)]

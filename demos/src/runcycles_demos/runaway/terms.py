"""What is agreed before the race: one set of terms for both lanes."""

from dataclasses import dataclass

from runcycles.types import MICROCENTS_PER_USD

DEFAULT_SEED = 4782
DEFAULT_PERIOD_MS = 12.0
DEFAULT_TIMEOUT_S = 60.0

CALLS = 1_000
PRICE = MICROCENTS_PER_USD // 100  # one cent a call
LIMIT = MICROCENTS_PER_USD  # one dollar

UNGUARDED, GUARDED = "unguarded", "guarded"
LANES = (UNGUARDED, GUARDED)
BOTH = "both"  # the lane of events that belong to neither alone

# The five scopes of the subject below the tenant, each of which gets a budget of the whole limit.
SUBJECT = {
    "workspace": "default",
    "app": "default",
    "workflow": "default",
    "agent": "support-bot",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """How long, how fast and how much."""

    seed: int = DEFAULT_SEED
    period_ms: float = DEFAULT_PERIOD_MS  # 0: as fast as it goes, and cut by calls
    timeout_s: float = DEFAULT_TIMEOUT_S

    @property
    def fast(self) -> bool:
        """Whether the lanes run as fast as they can."""
        return self.period_ms == 0

    @property
    def cut_s(self) -> float | None:
        """When a lane that has not stopped is cut off; None where calls are counted instead."""
        return None if self.fast else CALLS * self.period_ms / 1000

    @property
    def allowed_calls(self) -> int:
        """How many calls the limit pays for."""
        return LIMIT // PRICE

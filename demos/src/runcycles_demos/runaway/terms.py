"""What is agreed before a scene begins: one set of terms for all of its lanes."""

from dataclasses import dataclass

from runcycles.types import MICROCENTS_PER_USD
from runcycles_demos.runaway.engine import PLAIN, Engine

DEFAULT_SEED = 4782
DEFAULT_TIMEOUT_S = 60.0  # for each scene

LIMIT = MICROCENTS_PER_USD  # one dollar
UNGUARDED_SPENDS = 10 * LIMIT  # before a lane that has not stopped is cut off

RACE, SHADOW, TOKENS = "race", "shadow", "tokens"
SCENES = (RACE, SHADOW, TOKENS)

# Lanes are named after what is around the agent in them.
UNGUARDED, GUARDED, OBSERVED, DRY_RUN = "unguarded", "guarded", "observed", "dry_run"
LANES = (UNGUARDED, GUARDED, OBSERVED, DRY_RUN)
LANES_OF = {
    RACE: (UNGUARDED, GUARDED),
    SHADOW: (UNGUARDED, OBSERVED, DRY_RUN),
    TOKENS: (GUARDED,),
}
BOTH = "both"  # the lane of events that belong to none alone

# The five scopes of the subject below the tenant, each of which gets a budget of the whole limit.
AGENT = "support-bot"
SUBJECT = {
    "workspace": "default",
    "app": "default",
    "workflow": "default",
    "agent": AGENT,
}
SCOPES = 1 + len(SUBJECT)
EXCEEDED = "BUDGET_EXCEEDED"


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """Who, how long, how fast and how much."""

    scene: str = RACE
    engine: Engine = PLAIN
    seed: int = DEFAULT_SEED
    period_ms: float = PLAIN.period_ms  # 0: as fast as it goes, and cut by calls
    timeout_s: float = DEFAULT_TIMEOUT_S

    @property
    def lanes(self) -> tuple[str, ...]:
        """The lanes of the scene."""
        return LANES_OF[self.scene]

    @property
    def fast(self) -> bool:
        """Whether the lanes run as fast as they can."""
        return self.period_ms == 0

    @property
    def by_tokens(self) -> bool:
        """Whether a call costs what its tokens cost, and the conversation grows."""
        return self.scene == TOKENS

    @property
    def price(self) -> int:
        """What a call costs where every call costs the same, in microcents."""
        return self.engine.price

    @property
    def calls(self) -> int:
        """How many calls a lane makes that nothing stops."""
        return UNGUARDED_SPENDS // self.price

    @property
    def paced_s(self) -> float:
        """How long so many calls take at the pace."""
        return self.calls * self.period_ms / 1000

    @property
    def cut_s(self) -> float | None:
        """When a lane that has not stopped is cut off; None where calls are counted instead."""
        return self.paced_s if self.scene == RACE and not self.fast else None

    @property
    def allowed_calls(self) -> int:
        """How many calls the limit pays for."""
        return LIMIT // self.price

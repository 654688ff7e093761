"""What to test an agent with: offline, without keys, with the real rules."""

from runcycles.ledger.policies import Quota, RateLimits, TtlOverride
from runcycles.testing.authority import InMemoryAuthority
from runcycles.testing.clock import FakeClock
from runcycles.testing.play import play
from runcycles.testing.scenario import ScenarioError

__all__ = [
    "FakeClock",
    "InMemoryAuthority",
    "Quota",
    "RateLimits",
    "ScenarioError",
    "TtlOverride",
    "play",
]

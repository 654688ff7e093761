"""What the runaway agent can be built with, and the pace that it can keep then."""

from dataclasses import asdict, dataclass

from runcycles.types import MICROCENTS_PER_USD
from runcycles_demos.kit import engines

CENT = MICROCENTS_PER_USD // 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine(engines.Engine):
    """A way to build the agent, its guard, and its pace."""

    guard: str  # the whole difference between the lanes, in words
    period_ms: float = 12.0
    price: int = CENT  # per call, so that twelve seconds at its pace come to $10.00

    @property
    def module(self) -> str:
        """Where its agent is."""
        return engines.module_of("runaway", self)


PLAIN = Engine(**asdict(engines.PLAIN), guard="@cycles around the agent's three functions")
LANGCHAIN = Engine(
    **asdict(engines.LANGCHAIN), guard="CyclesMiddleware in the agent's list of middleware"
)
OPENAI_AGENTS = Engine(
    **asdict(engines.OPENAI_AGENTS),
    guard="guard(agent), called on each of its three agents,",
    period_ms=24.0,  # a run of one call takes half of 12 ms, and more where two lanes share a core
    price=2 * CENT,
)
CREWAI = Engine(
    **asdict(engines.CREWAI),
    guard="the cycles_crew() block around the crew's work",
    period_ms=24.0,  # a kickoff alone takes longer than 12 ms
    price=2 * CENT,
)
ENGINES = {engine.name: engine for engine in (PLAIN, LANGCHAIN, OPENAI_AGENTS, CREWAI)}

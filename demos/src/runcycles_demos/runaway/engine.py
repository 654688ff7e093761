"""What the agent can be built with. Knowing an engine imports nothing of its framework."""

from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec

from runcycles.types import MICROCENTS_PER_USD

CENT = MICROCENTS_PER_USD // 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """A way to build the agent, and the pace that it can keep."""

    name: str
    distribution: str  # whose version is told
    title: str
    guard: str  # the whole difference between the lanes, in words
    needs: tuple[str, ...] = ()  # what has to be importable
    period_ms: float = 12.0
    price: int = CENT  # per call, so that twelve seconds at its pace come to $10.00

    @property
    def module(self) -> str:
        """Where its agent is."""
        return f"runcycles_demos.runaway.engines.{self.name.replace('-', '_')}"

    @property
    def version(self) -> str | None:
        """The version of its framework; None where that is not installed."""
        return None if self.missing else version(self.distribution)

    @property
    def missing(self) -> str | None:
        """Why it cannot run, and what to do about it; None where it can."""
        if all(map(_is_there, self.needs)):
            return None
        return (
            f"The engine {self.name} is not installed; install it with: "
            f"pip install 'runcycles-demos[{self.name}]'"
        )


def _is_there(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ImportError:
        return False


PLAIN = Engine(
    name="plain",
    distribution="runcycles-demos",
    title="plain Python",
    guard="@cycles around the agent's three functions",
)
LANGCHAIN = Engine(
    name="langchain",
    distribution="langchain",
    title="LangChain",
    guard="CyclesMiddleware in the agent's list of middleware",
    needs=("runcycles_langchain", "langchain", "langchain_openai"),
)
OPENAI_AGENTS = Engine(
    name="openai-agents",
    distribution="openai-agents",
    title="OpenAI Agents SDK",
    guard="guard(agent), called on each of its three agents,",
    needs=("runcycles_openai_agents", "agents"),
)
CREWAI = Engine(
    name="crewai",
    distribution="crewai",
    title="CrewAI",
    guard="the cycles_crew() block around the crew's work",
    needs=("runcycles_crewai", "crewai"),
    period_ms=24.0,  # a kickoff alone takes longer than 12 ms
    price=2 * CENT,
)
ENGINES = {engine.name: engine for engine in (PLAIN, LANGCHAIN, OPENAI_AGENTS, CREWAI)}

# Read by the frameworks when they are imported: nothing leaves this machine.
QUIET = {
    "CREWAI_DISABLE_TELEMETRY": "true",
    "CREWAI_TESTING": "true",  # no questions at the end
    "CREWAI_TRACING_ENABLED": "false",
    "LANGCHAIN_TRACING_V2": "false",
    "LANGSMITH_TRACING": "false",
    "OPENAI_AGENTS_DISABLE_TRACING": "1",
    "OTEL_SDK_DISABLED": "true",
}

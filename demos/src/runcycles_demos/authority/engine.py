"""What the support agent can be built with, and what its guard is there."""

from dataclasses import asdict, dataclass

from runcycles_demos.kit import engines


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine(engines.Engine):
    """A way to build the agent, and its guard."""

    guard: str  # in words

    @property
    def module(self) -> str:
        """Where its agent is."""
        return engines.module_of("authority", self)


PLAIN = Engine(**asdict(engines.PLAIN), guard="client.guard() around each tool")
LANGCHAIN = Engine(
    **asdict(engines.LANGCHAIN), guard="guard_tools() around the tools of create_agent()"
)
OPENAI_AGENTS = Engine(**asdict(engines.OPENAI_AGENTS), guard='guard(agent, refusal="tell_model")')
CREWAI = Engine(**asdict(engines.CREWAI), guard="guard_tool() around each of the crew's tools")
ENGINES = {engine.name: engine for engine in (PLAIN, LANGCHAIN, OPENAI_AGENTS, CREWAI)}


def usual() -> Engine:
    """Return the agent of a framework where one is installed, else the plain one."""
    return PLAIN if LANGCHAIN.missing else LANGCHAIN

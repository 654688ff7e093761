"""What an agent can be built with. Knowing an engine imports nothing of its framework."""

from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """A way to build an agent: plain Python, or a framework that may not be installed."""

    name: str
    distribution: str  # whose version is told
    title: str
    needs: tuple[str, ...] = ()  # what has to be importable

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


def module_of(demo: str, engine: Engine) -> str:
    """Return where the agent of a demo is, built with this."""
    return f"runcycles_demos.{demo}.engines.{engine.name.replace('-', '_')}"


def _is_there(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ImportError:
        return False


PLAIN = Engine(name="plain", distribution="runcycles-demos", title="plain Python")
LANGCHAIN = Engine(
    name="langchain",
    distribution="langchain",
    title="LangChain",
    needs=("runcycles_langchain", "langchain", "langchain_openai"),
)
OPENAI_AGENTS = Engine(
    name="openai-agents",
    distribution="openai-agents",
    title="OpenAI Agents SDK",
    needs=("runcycles_openai_agents", "agents"),
)
CREWAI = Engine(
    name="crewai",
    distribution="crewai",
    title="CrewAI",
    needs=("runcycles_crewai", "crewai"),
)

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


def kept_in(folder: str) -> dict[str, str]:
    """Return what lets a framework keep its files where they are gone with the demo."""
    return {"CREWAI_STORAGE_DIR": "crewai", "XDG_CONFIG_HOME": folder, "XDG_DATA_HOME": folder}

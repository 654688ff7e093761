"""What belongs to one place alone, and who else may reach for it.

The contracts of import-linter order whole layers; they cannot name a module before it exists. These
borders can, and they name foreign libraries too.
"""

import pytest

from tests.repo.tree import imports, name_of, python_files

# what is guarded → the modules, with everything inside them, that may import it
BORDERS = {
    # clients ask what something costs; only an authority computes it
    "runcycles.ledger": ("runcycles.ledger", "runcycles.testing", "runcycles_server"),
    # one place turns an operation into HTTP, and its errors into ours
    "httpx": (
        "runcycles.transports",
        "runcycles.testing",
        "runcycles_server.cli.remote",  # an operator's commands ask a server
        "runcycles_server.conformance",  # judges any authority from outside
        "runcycles_server.events",  # delivers webhooks
    ),
    # an authority that asked through a client would be asking itself
    "runcycles.clients": ("runcycles", "runcycles_server.cli", "runcycles_server.embedded"),
    "runcycles.guard": ("runcycles", "runcycles_server.cli", "runcycles_server.embedded"),
    "runcycles.open_guards": ("runcycles", "runcycles_server.cli", "runcycles_server.embedded"),
    # a driver stays in its own store, so that its errors are translated once
    "sqlite3": ("runcycles.outbox", "runcycles_server.stores.sqlite"),
    "psycopg": ("runcycles_server.stores.postgres",),
    "redis": ("runcycles_server.stores.redis",),
}
# what stands outside of the borders of core and server: their users
FREE = ("runcycles_demos", "runcycles_langchain", "runcycles_openai_agents", "runcycles_crewai")


def lies_in(dotted: str, place: str) -> bool:
    return dotted == place or dotted.startswith(place + ".")


def trespasses(module: str, source: str) -> list[str]:
    """Say what a module imports although it belongs to another."""
    return [
        f"{module}:{line} imports {imported}"
        for line, imported in imports(source)
        for guarded, allowed in BORDERS.items()
        if lies_in(imported, guarded) and not any(lies_in(module, place) for place in allowed)
    ]


def module_name(path: str) -> str:
    """The dotted name of a file below some `src` folder."""
    return (
        path.partition("/src/")[2].removesuffix(".py").removesuffix("/__init__").replace("/", ".")
    )


def test_every_module_stays_within_its_borders() -> None:
    modules = {module_name(name_of(path)): path for path in python_files("packages", "demos")}
    assert "runcycles" in modules
    assert [
        line
        for module, path in modules.items()
        if not any(lies_in(module, place) for place in FREE)
        for line in trespasses(module, path.read_text(encoding="utf-8"))
    ] == []


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("runcycles.flows", "from runcycles.ledger import rules"),
        ("runcycles.clients", "from runcycles import ledger"),
        ("runcycles.clients", "import httpx"),
        ("runcycles_server.authority", "from runcycles.clients import CyclesClient"),
        ("runcycles_server.stores.base", "import sqlite3"),
        ("runcycles_server.stores.sqlite", "from psycopg import sql"),
    ],
)
def test_a_module_across_its_border_is_noticed(module: str, source: str) -> None:
    assert trespasses(module, source)


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("runcycles.transports", "import httpx"),
        ("runcycles_server.stores.sqlite", "import sqlite3"),
        ("runcycles_server.authority", "from runcycles.ledger.apply import apply"),
        ("runcycles.testing.memory", "from runcycles.ledger.memory import MemoryLedger"),
    ],
)
def test_the_owner_of_a_library_is_left_alone(module: str, source: str) -> None:
    assert trespasses(module, source) == []

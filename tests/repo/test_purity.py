"""What the ledger, and the model that audits it, may not reach for."""

import ast
import sys

import pytest

from tests.repo.tree import imports, name_of, python_files

CORE = "packages/core/src/runcycles/"
PURE = ("types", "scopes", "errors", "actions", "ops", "ledger")
OUTSIDE_WORLD = {
    *("time", "datetime", "zoneinfo"),  # the store says what time it is
    *("random", "secrets", "uuid"),  # ids are given, never drawn
    *("io", "os", "pathlib", "socket", "sqlite3", "subprocess", "tempfile", "urllib"),  # I/O
    *("asyncio", "threading", "multiprocessing", "queue", "sched"),  # waiting is the store's part
    *("json", "pickle"),  # replies are opaque bytes
    "logging",
}


def is_pure_import(imported: str) -> bool:
    top, _, rest = imported.partition(".")
    if top == "runcycles":
        return rest.partition(".")[0] in PURE
    return top == "annotated_types" or (top in sys.stdlib_module_names and top not in OUTSIDE_WORLD)


def impure(name: str, source: str) -> list[str]:
    """Say what a pure module imports or calls that would make its answer depend on more."""
    complaints = [
        f"{name}:{line} imports {imported}"
        for line, imported in imports(source)
        if not is_pure_import(imported)
    ]
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Call(func=ast.Name(id="open" | "print" | "input" | "__import__" as called)):
                complaints.append(f"{name}:{node.lineno} calls {called}")
            case _:
                pass
    return complaints


def is_pure_module(name: str) -> bool:
    return name.startswith(CORE) and name.removeprefix(CORE).split("/")[0].split(".")[0] in PURE


def test_the_ledger_sees_no_clock_no_disk_no_network_and_no_chance() -> None:
    pure_files = [path for path in python_files("packages/core") if is_pure_module(name_of(path))]
    assert pure_files
    assert [
        line
        for path in pure_files
        for line in impure(name_of(path), path.read_text(encoding="utf-8"))
    ] == []


@pytest.mark.parametrize(
    "source",
    [
        "import time",
        "from time import time",
        "from datetime import datetime",
        "import os.path",
        "import random",
        "import pydantic",
        "from runcycles.wire import dump",
        "from runcycles import wire",
        "from .. import wire",
        "def f():\n    import httpx",
        "open('ledger')",
    ],
)
def test_an_impure_ledger_is_noticed(source: str) -> None:
    assert impure("m.py", source)


@pytest.mark.parametrize(
    "source",
    [
        "from dataclasses import dataclass",
        "from annotated_types import Ge",
        "from runcycles.ledger.state import Account",
        "from runcycles.types import Amount",
    ],
)
def test_a_pure_ledger_is_left_alone(source: str) -> None:
    assert impure("m.py", source) == []


def imports_of_ours(name: str, source: str) -> list[str]:
    """Say what a naive model imports of ours, besides another naive one."""
    return [
        f"{name}:{line} imports {imported}"
        for line, imported in imports(source)
        if imported.startswith(("runcycles", ".", "tests"))
        and not imported.startswith("tests.core.ledger.naive_")
    ]


def test_the_model_that_audits_the_ledger_shares_no_code_with_it() -> None:
    """A model that borrowed from the ledger would agree with its mistakes."""
    models = [path for path in python_files("tests") if path.name.startswith("naive_")]
    assert models
    assert [
        line
        for path in models
        for line in imports_of_ours(name_of(path), path.read_text(encoding="utf-8"))
    ] == []


def test_a_model_that_borrows_from_the_ledger_is_noticed() -> None:
    assert imports_of_ours("m.py", "from runcycles.ledger import rules")
    assert imports_of_ours("m.py", "from .play import play")
    assert imports_of_ours("m.py", "import dataclasses") == []

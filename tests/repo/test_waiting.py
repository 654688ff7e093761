import ast

import pytest

from tests.repo.tree import name_of, python_files


def sleeps(name: str, source: str) -> list[str]:
    """Say where a test waits for time to pass instead of for something to happen."""
    complaints = []
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Call(func=ast.Name(id="sleep") | ast.Attribute(attr="sleep")):
                complaints.append(f"{name}:{node.lineno} sleeps")
            case ast.ImportFrom(names=names) if any(alias.name == "sleep" for alias in names):
                complaints.append(f"{name}:{node.lineno} imports sleep")
            case _:
                pass
    return complaints


def test_no_test_sleeps() -> None:
    assert [
        line
        for path in python_files("tests")
        for line in sleeps(name_of(path), path.read_text(encoding="utf-8"))
    ] == []


@pytest.mark.parametrize(
    "source",
    [
        "import time\ntime.sleep(1)",
        "async def f():\n    await anyio.sleep(0.1)",
        "from asyncio import sleep as pause",
        "sleep(3)",
    ],
)
def test_a_sleeping_test_is_noticed(source: str) -> None:
    assert sleeps("m.py", source)


def test_reading_a_sleep_as_data_is_not_sleeping() -> None:
    assert sleeps("m.py", "assert step == Sleep(0.1)") == []

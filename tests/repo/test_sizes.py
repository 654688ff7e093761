import ast

from tests.repo.tree import name_of, python_files

MAX_MODULE_LINES = 400
MAX_FUNCTION_LINES = 70


def too_long(name: str, source: str) -> list[str]:
    """Say which parts of a module no longer fit on the screens a reader is willing to scroll."""
    complaints = []
    lines = len(source.splitlines())
    if lines > MAX_MODULE_LINES:
        complaints.append(f"{name} has {lines} lines")
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno is not None
            length = node.end_lineno - node.lineno + 1
            if length > MAX_FUNCTION_LINES:
                complaints.append(f"{name}:{node.lineno} {node.name} has {length} lines")
    return complaints


def test_modules_and_functions_stay_short() -> None:
    files = python_files()
    assert files
    assert [
        line for path in files for line in too_long(name_of(path), path.read_text(encoding="utf-8"))
    ] == []


def test_a_long_module_is_noticed() -> None:
    assert too_long("m.py", "x = 1\n" * 400) == []
    assert too_long("m.py", "x = 1\n" * 401) == ["m.py has 401 lines"]


def test_a_long_function_is_noticed() -> None:
    assert too_long("m.py", "def f():\n" + "    x = 1\n" * 69) == []
    assert too_long("m.py", "async def f():\n" + "    x = 1\n" * 70) == ["m.py:1 f has 71 lines"]

import io
import re
import tokenize

import pytest

from tests.repo.tree import name_of, python_files

SUPPRESSION = re.compile(r"#\s*(type:\s*ignore|noqa|pragma:\s*no (?:cover|branch))")
WITH_REASON = re.compile(
    r"""\#\s*(?:
        type:\s*ignore\[[\w,\s-]+\]
      | noqa:\s*[A-Z]+\d+(?:,\s*[A-Z]+\d+)*
      | pragma:\s*no\s(?:cover|branch)
    )\s*(?:\#|-|:)\s*\w.*""",
    re.VERBOSE,
)


def without_reason(name: str, source: str) -> list[str]:
    """Say where a check is silenced without naming the check or without giving a reason."""
    return [
        f"{name}:{token.start[0]} {token.string}"
        for token in tokenize.generate_tokens(io.StringIO(source).readline)
        if token.type == tokenize.COMMENT
        and SUPPRESSION.search(token.string)
        and not WITH_REASON.search(token.string)
    ]


def test_every_suppression_names_its_check_and_gives_its_reason() -> None:
    assert [
        line
        for path in python_files()
        for line in without_reason(name_of(path), path.read_text(encoding="utf-8"))
    ] == []


@pytest.mark.parametrize(
    "comment",
    [
        "# type: ignore",
        "# type: ignore[arg-type]",
        "# type: ignore  # because",
        "# noqa",
        "# noqa: BLE001",
        "# noqa  # because",
        "# pragma: no cover",
    ],
)
def test_a_silent_suppression_is_noticed(comment: str) -> None:
    assert without_reason("m.py", f"x = 1  {comment}\n")


@pytest.mark.parametrize(
    "comment",
    [
        "# type: ignore[arg-type]  # the stub forgets None",
        "# type: ignore[arg-type, misc]  # the stub forgets None",
        "# noqa: BLE001  # whatever a driver raises, the call must not run",
        "# noqa: BLE001 - whatever a driver raises, the call must not run",
        "# pragma: no cover - only on Windows",
        "# an ordinary comment",
    ],
)
def test_an_explained_suppression_is_left_alone(comment: str) -> None:
    assert without_reason("m.py", f"x = 1  {comment}\n") == []

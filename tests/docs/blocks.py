"""The fenced blocks of a Markdown page, in order."""

import re
from dataclasses import dataclass
from pathlib import Path

_FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    page: str
    line: int
    language: str
    code: str
    output: str | None
    """What the page says it prints: the `text` block that follows, if one does."""

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def blocks(root: Path, page: str) -> list[Block]:
    """Every fenced block of a page that is not the output of another."""
    text = (root / page).read_text(encoding="utf-8")
    found = list(_FENCE.finditer(text))
    listed = []
    for index, match in enumerate(found):
        if match[1] == "text":
            continue
        following = found[index + 1] if index + 1 < len(found) else None
        is_output = following is not None and following[1] == "text"
        listed.append(
            Block(
                page=page,
                line=text.count("\n", 0, match.start()) + 1,
                language=match[1],
                code=match[2],
                output=following[2] if following is not None and is_output else None,
            )
        )
    return listed

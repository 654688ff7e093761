"""A sentence of the last screen, and whether it holds."""

from dataclasses import asdict, dataclass
from typing import Any, Final

HTTP_CONFLICT: Final = 409


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """One sentence and whether it holds; None where there is nothing to judge, and why."""

    id: str
    text: str
    ok: bool | None
    expected: Any
    actual: Any
    skipped: str | None = None

    def as_json(self) -> dict[str, Any]:
        """Return the verdict as it stands in the JSON document."""
        members = asdict(self)
        if self.skipped is None:
            del members["skipped"]
        return members


def equal(name: str, text: str, expected: Any, actual: Any) -> Verdict:
    """Return the verdict of a sentence that says that two things are the same."""
    return Verdict(id=name, text=text, ok=expected == actual, expected=expected, actual=actual)

"""The output limit of a request, which CrewAI reads from the LLM object that all its calls share.

While calls are open their smallest limit stands in that object, so that none of them is sent with
more than it has reserved; when the last one has ended, what stood there before does so again.
"""

from dataclasses import dataclass, field
from threading import Lock
from typing import Any, Final

FIELDS: Final = ("max_completion_tokens", "max_output_tokens", "max_tokens")
"""Where CrewAI's LLM classes keep the limit; each class sends the one that its provider knows."""


@dataclass(slots=True)
class _Held:
    llm: Any
    before: dict[str, Any]
    limits: list[int] = field(default_factory=list)

    def apply(self) -> None:
        """Make the smallest limit the object's, or give it back its own."""
        least = max(min(self.limits) // answers(self.llm), 1) if self.limits else None
        given = [name for name, value in self.before.items() if value is not None]
        for name in given or self.before:
            own = self.before[name]
            fits = least is None or (own is not None and own <= least)
            setattr(self.llm, name, own if fits else least)


_lock: Final = Lock()
_held: Final[dict[int, _Held]] = {}  # by the object's id: crews of one process may share an LLM


def own_limit(llm: Any) -> int | None:
    """The limit that the LLM's owner has set, whatever stands there for a while."""
    with _lock:
        held = _held.get(id(llm))
        before = _fields(llm) if held is None else held.before
    return max((int(value) for value in before.values() if value is not None), default=None)


def answers(llm: Any) -> int:
    """How many answers each request asks for; every one may be as long as the limit allows."""
    wanted = getattr(llm, "n", None)
    return wanted if isinstance(wanted, int) and wanted > 1 else 1


def hold_limit(llm: Any, limit: int) -> None:
    """Keep the answers of each request to this limit together, until it is dropped."""
    with _lock:
        held = _held.setdefault(id(llm), _Held(llm, _fields(llm)))
        held.limits.append(limit)
        held.apply()


def drop_limit(llm: Any, limit: int) -> None:
    """End what `hold_limit` began."""
    with _lock:
        held = _held[id(llm)]
        held.limits.remove(limit)
        held.apply()
        if not held.limits:
            del _held[id(llm)]


def _fields(llm: Any) -> dict[str, Any]:
    return {name: getattr(llm, name) for name in FIELDS if hasattr(llm, name)}

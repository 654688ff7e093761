"""Subject → the scopes it spends from, root first. Pure.

The canonical order of the six levels is normative; a level that is not given is skipped, never
filled in. Values are compared in lower case, because budgets are stored that way.
"""

from functools import lru_cache
from typing import Final

from runcycles.types import Subject

LEVELS: Final = ("tenant", "workspace", "app", "workflow", "agent", "toolset")


def lineage(subject: Subject) -> tuple[str, ...]:
    """Every scope of a subject, root first: `("tenant:acme", "tenant:acme/agent:bot")`."""
    return _lineage(
        subject.tenant,
        subject.workspace,
        subject.app,
        subject.workflow,
        subject.agent,
        subject.toolset,
    )


def effective_lineage(subject: Subject, tenant: str) -> tuple[str, ...]:
    """The lineage with the caller's tenant put in where the subject names none.

    What an operator says about a tenant (stops, policies, filters of keys) holds for all it does.
    """
    return _lineage(
        subject.tenant or tenant,
        subject.workspace,
        subject.app,
        subject.workflow,
        subject.agent,
        subject.toolset,
    )


@lru_cache(maxsize=4_096)
def _lineage(*values: str | None) -> tuple[str, ...]:
    """Kept, because the same few subjects spend again and again."""
    path = ""
    scopes: list[str] = []
    for level, value in zip(LEVELS, values, strict=True):
        if value:
            path = f"{path}/{level}:{value.lower()}" if path else f"{level}:{value.lower()}"
            scopes.append(path)
    return tuple(scopes)


def leaf(scope_path: str) -> str:
    """The last segment of a scope path: `agent:bot` of `tenant:acme/agent:bot`."""
    return scope_path.rpartition("/")[2]


def segments(scope_path: str) -> dict[str, str]:
    """The levels of a scope path: `{"tenant": "acme", "agent": "bot"}`."""
    pairs = (segment.partition(":") for segment in scope_path.split("/"))
    return {level: value for level, _, value in pairs}


@lru_cache(maxsize=4_096)
def passes_filter(scope_path: str, scope_filter: tuple[str, ...] | None) -> bool:
    """Whether a key with this scope filter may touch this scope; without entries it may touch all.

    One entry has to fit one segment of the path: `agent:bot` is that agent, `agent:*` any agent.
    """
    if not scope_filter:
        return True
    found = segments(scope_path)
    pairs = (entry.lower().partition(":") for entry in scope_filter)
    return any(level in found and value in ("*", found[level]) for level, _, value in pairs)

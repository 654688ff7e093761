import pytest

from runcycles.scopes import LEVELS, effective_lineage, leaf, lineage, segments
from runcycles.types import Subject


def test_a_lineage_is_every_prefix_root_first() -> None:
    subject = Subject(
        toolset="search", agent="bot", workflow="w", app="crm", workspace="dev", tenant="acme"
    )
    assert lineage(subject) == (
        "tenant:acme",
        "tenant:acme/workspace:dev",
        "tenant:acme/workspace:dev/app:crm",
        "tenant:acme/workspace:dev/app:crm/workflow:w",
        "tenant:acme/workspace:dev/app:crm/workflow:w/agent:bot",
        "tenant:acme/workspace:dev/app:crm/workflow:w/agent:bot/toolset:search",
    )


@pytest.mark.parametrize(
    ("subject", "scopes"),
    [
        (Subject(tenant="acme", agent="bot"), ("tenant:acme", "tenant:acme/agent:bot")),
        (Subject(tenant="t", toolset="search"), ("tenant:t", "tenant:t/toolset:search")),
        (Subject(workspace="dev"), ("workspace:dev",)),
        (Subject(tenant="acme", agent=""), ("tenant:acme",)),
        (Subject(dimensions={"run_id": "7"}), ()),
        (Subject(tenant="acme", dimensions={"run_id": "7"}), ("tenant:acme",)),
    ],
)
def test_what_is_not_given_is_skipped(subject: Subject, scopes: tuple[str, ...]) -> None:
    assert lineage(subject) == scopes


def test_scopes_are_in_lower_case() -> None:
    assert lineage(Subject(tenant="ACME", agent="Bot_1")) == (
        "tenant:acme",
        "tenant:acme/agent:bot_1",
    )


def test_a_scope_is_taken_apart_as_it_was_put_together() -> None:
    (*_, path) = lineage(Subject(tenant="acme", app="crm", agent="bot"))
    assert segments(path) == {"tenant": "acme", "app": "crm", "agent": "bot"}
    assert tuple(segments(path)) == tuple(level for level in LEVELS if level in segments(path))
    assert leaf(path) == "agent:bot"
    assert leaf("tenant:acme") == "tenant:acme"


def test_where_no_tenant_is_named_what_counts_is_below_the_callers() -> None:
    assert effective_lineage(Subject(agent="bot"), "Acme") == (
        "tenant:acme",
        "tenant:acme/agent:bot",
    )
    named = Subject(tenant="acme", agent="bot")
    assert effective_lineage(named, "acme") == lineage(named)

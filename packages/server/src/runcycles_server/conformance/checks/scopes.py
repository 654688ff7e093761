"""How a subject becomes scopes, and which of them count."""

from runcycles_server.conformance.expecting import done, expect, refused, same
from runcycles_server.conformance.registry import Topic
from runcycles_server.conformance.setups import Budget, budgets
from runcycles_server.conformance.stand import Stand

topic = Topic()
check = topic.check

LEVELS = ("workspace", "app", "workflow", "agent", "toolset")
ONLY_AGENT = budgets(Budget(scope="agent:a", allocated=50))
TWO_AGENTS = budgets(Budget(), Budget(scope="agent:a"), Budget(scope="agent:b"))


@check("RT-SCOPE-001")
async def scopes_are_cumulative_and_root_first(stand: Stand) -> None:
    levels = {level: level[:2] for level in reversed(LEVELS)}
    answer = done(await stand.reserve(1, subject={**levels, "tenant": stand.tenant}))
    segments = [f"tenant:{stand.tenant}", *(f"{level}:{level[:2]}" for level in LEVELS)]
    wanted = ["/".join(segments[:end]) for end in range(1, len(segments) + 1)]
    same(answer["affected_scopes"], wanted, "affected_scopes")


@check("RT-SCOPE-002")
async def gaps_are_skipped(stand: Stand) -> None:
    answer = done(await stand.reserve(1, subject=stand.subject(toolset="t", app="p")))
    wanted = [stand.scope(), stand.scope("app:p"), stand.scope("app:p/toolset:t")]
    same(answer["affected_scopes"], wanted, "affected_scopes")


@check("RT-SCOPE-003")
async def scope_path_is_the_deepest(stand: Stand) -> None:
    reservation = await stand.held(1, subject=stand.subject(agent="a", app="p"))
    row = done(await stand.row(reservation))
    same(row["scope_path"], stand.scope("app:p/agent:a"), "scope_path")
    same(row["affected_scopes"][-1], row["scope_path"], "the last of affected_scopes")


@check("RT-SCOPE-004")
async def dimensions_make_no_scope(stand: Stand) -> None:
    subject = stand.subject(dimensions={"cost_centre": "r-and-d"})
    answer = done(await stand.reserve(1, subject=subject))
    same(answer["affected_scopes"], [stand.scope()], "affected_scopes")


@check("RT-SCOPE-005")
async def dimensions_are_kept(stand: Stand) -> None:
    given = {"cost_centre": "r-and-d", "run_id": "run-1"}
    reservation = await stand.held(1, subject=stand.subject(dimensions=given))
    same(done(await stand.row(reservation))["subject"]["dimensions"], given, "subject.dimensions")


@check("RT-SCOPE-006")
async def dimensions_alone_are_no_subject(stand: Stand) -> None:
    refused(await stand.reserve(1, subject={"dimensions": {"a": "b"}}), 400, "INVALID_REQUEST")
    refused(await stand.reserve(1, subject={}), 400, "INVALID_REQUEST")


@check("RT-SCOPE-007", ONLY_AGENT)
async def a_budget_needs_none_above_it(stand: Stand) -> None:
    await stand.held(30, subject=stand.subject(agent="a"))
    await stand.shows("agent:a", remaining=20)


@check("RT-SCOPE-008", TWO_AGENTS)
async def a_neighbour_pays_nothing(stand: Stand) -> None:
    done(await stand.commit(await stand.held(30, subject=stand.subject(agent="a")), 30))
    await stand.shows("agent:a", remaining=970)
    await stand.shows("agent:b", remaining=1_000)
    await stand.shows(remaining=970)


@check("RT-SCOPE-009")
async def a_subject_may_leave_its_tenant_out(stand: Stand) -> None:
    answer = await stand.reserve(1, subject={"agent": "a"})
    expect(answer.status != 403, "a subject without a tenant is refused as another tenant's")


@check("RT-SCOPE-010", budgets(Budget(), Budget(scope="agent:a", allocated=50)))
async def another_spelling_is_no_way_around_a_budget(stand: Stand) -> None:
    answer = await stand.reserve(51, subject=stand.subject(agent="A"))
    expect(
        answer.status in (400, 409), f"agent A reserved past the budget of agent a: {answer.status}"
    )
    await stand.shows("agent:a", remaining=50)

"""Budgets: made, looked up, listed, changed, frozen."""

from typing import Any, Final

from runcycles_server.conformance.checks.tenants import governed_pages
from runcycles_server.conformance.expecting import denied, done, expect, refused, same
from runcycles_server.conformance.registry import Topic
from runcycles_server.conformance.setups import POOR, STRANGER, Budget, budgets
from runcycles_server.conformance.stand import ABSENT, Stand, tokens

topic = Topic()
check = topic.check

PATH: Final = "/v1/admin/budgets"
SEVERAL: Final = budgets(
    Budget(),
    Budget(scope="agent:a"),
    Budget(scope="agent:b", frozen=True),
    Budget(unit="CREDITS"),
)


def _body(stand: Stand, below: str = "agent:new", /, **changes: Any) -> dict[str, Any]:
    body = {
        "tenant_id": stand.tenant,
        "scope": stand.scope(below),
        "unit": "TOKENS",
        "allocated": tokens(500),
        **changes,
    }
    return {name: value for name, value in body.items() if value is not ABSENT}


@check("GC-BUDGET-001")
async def a_new_one_is_untouched(stand: Stand) -> None:
    made = done(await stand.govern("POST", PATH, _body(stand)), 201)
    same(made["scope"], stand.scope("agent:new"), "scope")
    same(made["tenant_id"], stand.tenant, "tenant_id")
    same(made["status"], "ACTIVE", "status")
    for name, wanted in (("allocated", 500), ("remaining", 500)):
        same(made[name], tokens(wanted), name)
    for name in ("reserved", "spent", "debt"):
        same((made.get(name) or tokens(0))["amount"], 0, name)
    await stand.shows("agent:new", remaining=500)


@check("GC-BUDGET-002")
async def a_scope_has_one_budget_per_unit(stand: Stand) -> None:
    done(await stand.govern("POST", PATH, _body(stand)), 201)
    refused(await stand.govern("POST", PATH, _body(stand)), 409, "DUPLICATE_RESOURCE")
    other = _body(stand, unit="CREDITS", allocated=tokens(1, "CREDITS"))
    done(await stand.govern("POST", PATH, other), 201)


@check("GC-BUDGET-003", POOR)
async def its_amounts_have_its_unit(stand: Stand) -> None:
    wrong: dict[str, Any]
    for wrong in (
        {"allocated": tokens(1, "CREDITS")},
        {"overdraft_limit": tokens(1, "CREDITS")},
    ):
        refused(await stand.govern("POST", PATH, _body(stand, **wrong)), 400, "UNIT_MISMATCH")


@check("GC-BUDGET-004", STRANGER)
async def a_scope_has_its_form(stand: Stand) -> None:
    for wrong in (
        "agent:a",
        "",
        stand.scope("agent:a/app:p"),
        stand.scope("agent:a/agent:b"),
        stand.scope("user:me"),
        stand.scope("agent:"),
        stand.scope("agent:a b"),
        f"{stand.scope()}/",
        stand.stranger.scope("agent:a"),
    ):
        answer = await stand.govern("POST", PATH, _body(stand, scope=wrong))
        refused(answer, 400, "INVALID_REQUEST")


@check("GC-BUDGET-005")
async def a_lookup_is_exact(stand: Stand) -> None:
    found = done(await stand.govern_budget("GET", "/lookup"))
    same(found["scope"], stand.scope(), "scope")
    answer = await stand.govern_budget("GET", "/lookup", below="agent:none")
    refused(answer, 404, "BUDGET_NOT_FOUND")
    answer = await stand.govern_budget("GET", "/lookup", unit="CREDITS")
    refused(answer, 404, "BUDGET_NOT_FOUND")


@check("GC-BUDGET-006", SEVERAL)
async def a_list_is_filtered(stand: Stand) -> None:
    for query, wanted in (
        ({}, 4),
        ({"unit": "CREDITS"}, 1),
        ({"status": "FROZEN"}, 1),
        ({"scope_prefix": stand.scope("agent:")}, 2),
        ({"has_debt": "true"}, 0),
        ({"over_limit": "true"}, 0),
    ):
        found = await stand.govern("GET", PATH, query={"tenant_id": stand.tenant, **query})
        same(len(done(found)["ledgers"]), wanted, f"budgets with {query}")


@check("GC-BUDGET-007", SEVERAL)
async def pages_show_each_budget_once(stand: Stand) -> None:
    query = {"tenant_id": stand.tenant, "limit": "1"}
    found = [
        row["ledger_id"]
        async for page in governed_pages(stand, PATH, query)
        for row in page["ledgers"]
    ]
    same((len(found), len(set(found))), (4, 4), "budgets on all pages, and different ones")


@check("GC-BUDGET-008")
async def a_freeze_holds_until_it_is_lifted(stand: Stand) -> None:
    same(done(await stand.govern_budget("POST", "/freeze", {}))["status"], "FROZEN", "status")
    refused(await stand.reserve(1), 409, "BUDGET_FROZEN")
    same(done(await stand.govern_budget("POST", "/unfreeze", {}))["status"], "ACTIVE", "status")
    await stand.held(1)


@check("GC-BUDGET-009")
async def freezing_twice_conflicts(stand: Stand) -> None:
    expect((await stand.govern_budget("POST", "/unfreeze", {})).status == 409, "unfrozen twice")
    done(await stand.govern_budget("POST", "/freeze", {"reason": "an incident"}))
    expect((await stand.govern_budget("POST", "/freeze", {})).status == 409, "frozen twice")


@check("GC-BUDGET-010")
async def a_limit_may_be_changed(stand: Stand) -> None:
    done(await stand.govern_budget("PATCH", "", {"overdraft_limit": tokens(50)}))
    done(await stand.record(1_050, overage_policy="ALLOW_WITH_OVERDRAFT"), 201)
    await stand.shows(remaining=-50, debt=50)


@check("GC-BUDGET-011")
async def a_tenants_key_says_whose_it_is(stand: Stand) -> None:
    named, unnamed = _body(stand), _body(stand, tenant_id=ABSENT)
    refused(await stand.post(PATH, named), 400, "INVALID_REQUEST")
    refused(await stand.govern("POST", PATH, unnamed), 400, "INVALID_REQUEST")
    done(await stand.post(PATH, unnamed), 201)


@check("GC-BUDGET-012", STRANGER)
async def anothers_budget_is_forbidden(stand: Stand) -> None:
    at = {"scope": stand.stranger.scope(), "unit": "TOKENS"}
    refused(await stand.get(f"{PATH}/lookup", **at), 403, "FORBIDDEN")
    rows = done(await stand.get(PATH, tenant_id=stand.stranger.tenant))["ledgers"]
    same({row["tenant_id"] for row in rows} - {stand.tenant}, set(), "other tenants in the list")


@check("GC-BUDGET-013", POOR)
async def a_scope_is_kept_in_lower_case(stand: Stand) -> None:
    made = done(await stand.govern("POST", PATH, _body(stand, "agent:WRITER")), 201)
    same(made["scope"], stand.scope("agent:writer"), "scope")
    await stand.held(1, subject=stand.subject(agent="Writer"))


@check("GC-BUDGET-014")
async def a_later_budget_is_not_charged(stand: Stand) -> None:
    reservation = await stand.held(100, subject=stand.subject(agent="new"))
    done(await stand.govern("POST", PATH, _body(stand)), 201)
    done(await stand.commit(reservation, 150))
    await stand.shows(remaining=850, spent=150)
    await stand.shows("agent:new", remaining=500, spent=0)


@check("GC-BUDGET-015", budgets(Budget(allocated=100, overdraft_limit=50)))
async def debt_without_a_limit_stops_reservations(stand: Stand) -> None:
    done(await stand.record(120, overage_policy="ALLOW_WITH_OVERDRAFT"), 201)
    done(await stand.govern_budget("POST", "/fund", _credit(100), tenant_id=stand.tenant))
    await stand.shows(remaining=80, debt=20)
    done(await stand.release(await stand.held(1)))
    done(await stand.govern_budget("PATCH", "", {"overdraft_limit": tokens(10)}))
    refused(await stand.reserve(1), 409, "OVERDRAFT_LIMIT_EXCEEDED")
    done(await stand.govern_budget("PATCH", "", {"overdraft_limit": tokens(20)}))
    await stand.held(1)


@check("GC-BUDGET-016")
async def a_replay_wins_over_a_freeze(stand: Stand) -> None:
    body, spent = stand.question(10), stand.spending(10)
    first = done(await stand.post("/v1/reservations", body))
    done(await stand.post("/v1/events", spent), 201)
    done(await stand.govern_budget("POST", "/freeze", {}))
    again = done(await stand.post("/v1/reservations", body))
    same(again["reservation_id"], first["reservation_id"], "reservation_id of the replay")
    done(await stand.post("/v1/events", spent), 201)
    refused(await stand.record(10), 409, "BUDGET_FROZEN")


@check("GC-BUDGET-017", budgets(Budget(allocated=100, overdraft_limit=50)))
async def debt_without_any_limit_stops_reservations(stand: Stand) -> None:
    done(await stand.record(120, overage_policy="ALLOW_WITH_OVERDRAFT"), 201)
    done(await stand.govern_budget("POST", "/fund", _credit(100), tenant_id=stand.tenant))
    done(await stand.govern_budget("PATCH", "", {"overdraft_limit": tokens(0)}))
    await stand.shows(remaining=80, debt=20)
    answer, code = await stand.reserve(1), "OVERDRAFT_LIMIT_EXCEEDED"
    if not await stand.is_over_limit() and answer.code != code:  # the mark may be left out
        code = "DEBT_OUTSTANDING"
    refused(answer, 409, code)
    denied(await stand.reserve(1, dry_run=True))
    repaid = {"operation": "REPAY_DEBT", "amount": tokens(20)}
    done(await stand.govern_budget("POST", "/fund", repaid, tenant_id=stand.tenant))
    await stand.held(1)


def _credit(amount: int) -> dict[str, Any]:
    return {"operation": "CREDIT", "amount": tokens(amount)}

"""getReservation and getBalances."""

from collections.abc import AsyncIterator
from typing import Any

from runcycles_server.conformance.client import Answer
from runcycles_server.conformance.expecting import done, expect, refused, same
from runcycles_server.conformance.registry import Topic
from runcycles_server.conformance.setups import Budget, budgets
from runcycles_server.conformance.stand import Stand, tokens

topic = Topic()
check = topic.check

ACME = budgets(
    Budget(),
    Budget(unit="USD_MICROCENTS", allocated=5),
    Budget(scope="agent:acme"),
    Budget(scope="agent:acme-corp"),
    Budget(scope="app:p/agent:acme"),
    Budget(scope="workspace:acme", frozen=True),
)


@check("RT-GET-001")
async def shows_what_was_asked_for(stand: Stand) -> None:
    action = {"kind": "llm.completion", "name": "model", "tags": ["a", "b"]}
    subject = stand.subject(workspace="w", agent="a")
    body = stand.question(7, action=action, subject=subject)
    reservation = str(done(await stand.post("/v1/reservations", body))["reservation_id"])
    row = done(await stand.row(reservation))
    same(row["reservation_id"], reservation, "reservation_id")
    same(row["status"], "ACTIVE", "status")
    same(given(row["action"]), action, "action")
    same(given(row["subject"]), subject, "subject")
    same(row["reserved"], tokens(7), "reserved")
    same(row["scope_path"], stand.scope("workspace:w/agent:a"), "scope_path")
    same(len(row["affected_scopes"]), 3, "number of affected_scopes")


@check("RT-GET-002")
async def an_active_one_is_not_finalized(stand: Stand) -> None:
    row = done(await stand.row(await stand.held(1)))
    for name in ("finalized_at_ms", "committed"):
        expect(row.get(name) is None, f"an ACTIVE row has {name}")


@check("RT-GET-003")
async def a_committed_one_says_what_was_charged(stand: Stand) -> None:
    reservation = await stand.held(100)
    done(await stand.commit(reservation, 60))
    row = done(await stand.row(reservation))
    same(row["status"], "COMMITTED", "status")
    same(row["committed"], tokens(60), "committed")
    same(row["reserved"], tokens(100), "reserved")
    expect(row["finalized_at_ms"] >= row["created_at_ms"], "finalized before it was created")


@check("RT-GET-004")
async def a_released_one_is_finalized(stand: Stand) -> None:
    reservation = await stand.held(100)
    done(await stand.release(reservation))
    row = done(await stand.row(reservation))
    same(row["status"], "RELEASED", "status")
    expect(row["finalized_at_ms"] >= row["created_at_ms"], "finalized before it was created")
    expect(row.get("committed") is None, "a RELEASED row has committed")


@check("RT-GET-005")
async def shows_metadata_of_both_steps(stand: Stand) -> None:
    before, after = {"a": {"b": [1, "two", None, True]}}, {"c": "d"}
    reservation = await stand.held(1, metadata=before)
    done(await stand.commit(reservation, 1, metadata=after))
    row = done(await stand.row(reservation))
    same(row["metadata"], before, "metadata")
    same(row["committed_metadata"], after, "committed_metadata")


@check("RT-GET-006")
async def an_unknown_one_is_404(stand: Stand) -> None:
    for name in ("never-was", "x" * 128, "..%2F..", "%00", "a%20b"):
        answer = await stand.row(name)
        expect(answer.status in (400, 404), f"a reservation {name!r} is answered {answer.status}")
    refused(await stand.row("never-was"), 404, "NOT_FOUND")


@check("RT-GET-007")
async def a_long_id_is_400(stand: Stand) -> None:
    refused(await stand.row("x" * 129), 400, "INVALID_REQUEST")


@check("RT-GET-008")
async def text_comes_back_as_it_was_sent(stand: Stand) -> None:
    strange = '\u202eright to left\u202c \U0001f680 e\u0301 \u00e9 \\ " / \u2028 \x01'
    reservation = await stand.held(
        1,
        action={"kind": "llm.completion", "name": strange},
        metadata={strange: strange, "big": 2**63 - 1},
    )
    row = done(await stand.row(reservation))
    same(row["action"]["name"], strange, "action.name")
    same(row["metadata"], {strange: strange, "big": 2**63 - 1}, "metadata")


@check("RT-BALANCE-001")
async def a_filter_is_needed(stand: Stand) -> None:
    for query in ({}, {"include_children": "true"}):
        answer = await stand.get("/v1/balances", **query)
        if answer.status == 200:  # the governance plane declares the same path without a filter
            budgets_found = answer["balances"]
            expect(all("ledger_id" in row for row in budgets_found), "balances without a filter")
        else:
            refused(answer, 400, "INVALID_REQUEST")


@check("RT-BALANCE-002", ACME)
async def there_is_a_row_per_scope_and_unit(stand: Stand) -> None:
    rows = done(await stand.get("/v1/balances", tenant=stand.tenant))["balances"]
    found = sorted((row["scope_path"], row["remaining"]["unit"]) for row in rows)
    below = ("", "agent:acme", "agent:acme-corp", "app:p/agent:acme", "workspace:acme")
    wanted = [(stand.scope(each), "TOKENS") for each in below]
    same(found, sorted([*wanted, (stand.scope(), "USD_MICROCENTS")]), "scopes and units")


@check("RT-BALANCE-003", ACME)
async def a_filter_matches_whole_segments(stand: Stand) -> None:
    same(
        await _scopes(stand, agent="acme"),
        [stand.scope("agent:acme"), stand.scope("app:p/agent:acme")],
        "scopes with the agent acme",
    )
    same(await _scopes(stand, agent="acm"), [], "scopes with the agent acm")
    same(
        await _scopes(stand, agent="acme", app="p"),
        [stand.scope("app:p/agent:acme")],
        "scopes with the agent acme and the app p",
    )


@check("RT-BALANCE-004")
async def no_match_is_an_empty_list(stand: Stand) -> None:
    same(await _scopes(stand, agent="nobody"), [], "scopes of nobody")


@check("RT-BALANCE-005", ACME)
async def pages_show_each_row_once(stand: Stand) -> None:
    found = [
        (row["scope_path"], row["remaining"]["unit"])
        async for page in pages(stand, "/v1/balances", tenant=stand.tenant, limit="2")
        for row in page["balances"]
    ]
    same(len(found), 6, "rows on all pages")
    same(len(set(found)), 6, "different rows on all pages")


@check("RT-BALANCE-006")
async def a_page_has_1_to_200_rows(stand: Stand) -> None:
    for limit in ("1", "200"):
        done(await stand.get("/v1/balances", tenant=stand.tenant, limit=limit))
    for limit in ("0", "201", "-1", "many", "1.5"):
        answer = await stand.get("/v1/balances", tenant=stand.tenant, limit=limit)
        refused(answer, 400, "INVALID_REQUEST")


@check("RT-BALANCE-007", budgets(Budget(frozen=True)))
async def a_frozen_budget_has_a_balance(stand: Stand) -> None:
    await stand.shows(remaining=1_000)


@check("RT-BALANCE-008")
async def a_strange_cursor_is_400(stand: Stand) -> None:
    answer = await stand.get("/v1/balances", tenant=stand.tenant, cursor="%no-cursor%")
    refused(answer, 400, "INVALID_REQUEST")


def given(found: dict[str, Any]) -> dict[str, Any]:
    """The members of an object that say something."""
    return {name: value for name, value in found.items() if value is not None}


async def pages(stand: Stand, path: str, **query: str) -> AsyncIterator[Answer]:
    """The pages of a list, one after the other."""
    answer = done(await stand.get(path, **query))
    yield answer
    while cursor := answer.get("next_cursor"):
        same(answer.get("has_more"), True, "has_more beside a next_cursor")
        answer = done(await stand.get(path, cursor=str(cursor), **query))
        yield answer
    expect(not answer.get("has_more"), "has_more is true on the last page")


async def _scopes(stand: Stand, **query: str) -> list[str]:
    rows = done(await stand.get("/v1/balances", **query))["balances"]
    return sorted(str(row["scope_path"]) for row in rows)

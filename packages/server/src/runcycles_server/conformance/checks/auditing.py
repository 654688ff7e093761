"""The audit log: what was done, by whom, and what was tried."""

from typing import Any, Final

from runcycles_server.conformance.checks.tenants import governed_pages
from runcycles_server.conformance.client import ADMIN_KEY
from runcycles_server.conformance.expecting import done, expect, refused, same
from runcycles_server.conformance.registry import Topic
from runcycles_server.conformance.setups import MAIN, POOR
from runcycles_server.conformance.stand import Stand, fresh, tokens

topic = Topic()
check = topic.check

PATH: Final = "/v1/admin/audit/logs"


async def _logs(stand: Stand, **query: str) -> list[dict[str, Any]]:
    given = {"tenant_id": stand.tenant, **query}
    return list(done(await stand.govern("GET", PATH, query=given))["logs"])


@check("GC-AUDIT-001")
async def every_deed_is_written_down(stand: Stand) -> None:
    credit = {"operation": "CREDIT", "amount": tokens(1), "reason": "more"}
    answer = await stand.govern_budget("POST", "/fund", credit, tenant_id=stand.tenant)
    found = {row["operation"]: row for row in await _logs(stand)}
    expect(
        {"createTenant", "createBudget", "createApiKey", "fundBudget"} <= found.keys(),
        f"the log has {sorted(found)} alone",
    )
    row = found["fundBudget"]
    same(row["status"], 200, "status")
    same(row["resource_id"], f"{stand.scope()}:TOKENS", "resource_id")
    same(row["request_id"], done(answer).headers.get("x-request-id"), "request_id")
    same(row["trace_id"], answer.headers.get("x-cycles-trace-id"), "trace_id")


@check("GC-AUDIT-002")
async def what_was_refused_is_written_down(stand: Stand) -> None:
    debit = {"operation": "DEBIT", "amount": tokens(1_001)}
    answer = await stand.govern_budget("POST", "/fund", debit, tenant_id=stand.tenant)
    request = refused(answer, 409, "BUDGET_EXCEEDED").headers.get("x-request-id", "")
    query = {"request_id": request}
    (row,) = done(await stand.govern("GET", PATH, query=query))["logs"]
    same((row["status"], row["error_code"]), (409, "BUDGET_EXCEEDED"), "status and error_code")


@check("GC-AUDIT-003")
async def what_the_operator_releases_is_written_down(stand: Stand) -> None:
    reservation = await stand.held(1)
    body = {"idempotency_key": fresh(), "reason": "[INCIDENT_FORCE_RELEASE] it hung"}
    done(await stand.govern("POST", f"/v1/reservations/{reservation}/release", body))
    (row,) = await _logs(stand, operation="releaseReservation")
    same(row["resource_id"], reservation, "resource_id")
    same(row["metadata"]["actor_type"], "admin_on_behalf_of", "metadata.actor_type")


@check("GC-AUDIT-004", POOR)
async def the_log_is_filtered(stand: Stand) -> None:
    for query, wanted in (
        ({"operation": "createTenant,createApiKey"}, 2),
        ({"operation": "createtenant"}, 0),
        ({"resource_type": "api_key"}, 1),
        ({"status": "201"}, 2),
        ({"status_min": "400"}, 0),
        ({"error_code_exclude": "NOT_FOUND"}, 2),
        ({"to": "2001-01-01T00:00:00Z"}, 0),
    ):
        same(len(await _logs(stand, **query)), wanted, f"entries with {query}")


@check("GC-AUDIT-005", POOR)
async def a_filter_that_makes_no_sense_is_400(stand: Stand) -> None:
    for query in (
        {"status": "200", "status_min": "100"},
        {"status_min": "500", "status_max": "400"},
        {"status": "99"},
        {"trace_id": "nonsense"},
        {"operation": ",".join(f"o{number}" for number in range(26))},
    ):
        refused(await stand.govern("GET", PATH, query=query), 400, "INVALID_REQUEST")


@check("GC-AUDIT-006")
async def pages_show_each_entry_once(stand: Stand) -> None:
    query = {"tenant_id": stand.tenant, "limit": "1"}
    found = [
        row["log_id"] async for page in governed_pages(stand, PATH, query) for row in page["logs"]
    ]
    same((len(found), len(set(found))), (3, 3), "entries on all pages, and different ones")


@check("GC-AUDIT-007", POOR)
async def no_secret_is_written_down(stand: Stand) -> None:
    secret = stand.keys[MAIN]
    done(await stand.govern("POST", "/v1/auth/validate", {"key_secret": secret}))
    answer = await stand.govern("GET", PATH, query={"tenant_id": stand.tenant})
    expect(secret not in done(answer).content.decode(), "the log shows the secret of a key")
    without = stand.operator.without_keys()
    refused(await without.ask("GET", PATH, headers={ADMIN_KEY: secret}), 401, "UNAUTHORIZED")

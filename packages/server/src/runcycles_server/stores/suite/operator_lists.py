"""The operator's lists: policies, counters, the audit log and decisions, alike from every store."""

from dataclasses import replace
from itertools import product
from typing import Any, Final

from runcycles.ledger.policies import Counter, DeclaredKind, PolicyBook
from runcycles.types import QuotaWindow, RiskClass
from runcycles_server.records import AuditEntry
from runcycles_server.stores.queries import (
    AUDIT_SORTS,
    AuditQuery,
    CounterQuery,
    Window,
    place,
)
from runcycles_server.stores.suite.bench import NOON_MS, SCOPE, TENANT, Bench, Check
from runcycles_server.stores.suite.samples import (
    a_counter,
    a_decision,
    a_policy,
    an_entry,
    full_entry,
)

LIVE: Final = CounterQuery(tenant=TENANT, include_zero=True, limit=200)
EVERY: Final = AuditQuery(limit=200)


async def policies_and_kinds_come_by_name(bench: Bench) -> None:
    """The policies of one tenant or of all, and the kinds that the operator declared."""
    books = [PolicyBook(tenant=name, policies=(a_policy(f"of {name}"),)) for name in ("a", "b")]
    kinds = [
        DeclaredKind(kind=f"custom.{name}", risk_class=RiskClass.SIDE_EFFECT) for name in "xyz"
    ]
    await bench.keep(*reversed(books), *reversed(kinds))
    assert await bench.store.policy_books(None) == books
    assert await bench.store.policy_books("b") == books[1:]
    assert await bench.store.policy_books("c") == []
    assert await bench.store.declared_kinds() == kinds


def counters() -> list[Counter]:
    """Counters in the order of their places, of one tenant; some have counted nothing."""
    scopes = (SCOPE, f"{SCOPE}/agent:a", f"{SCOPE}/agent:ab")
    counted = ("__rate__:reservations", "__risk__:high_risk", "tool.call")
    windows = ((QuotaWindow.PER_DAY, "2030-03-17"), (QuotaWindow.PER_RUN, "run_1"))
    return [
        a_counter(scope=scope, counted=what, window=window, bucket=bucket, used=number % 3)
        for number, (scope, what, (window, bucket)) in enumerate(product(scopes, counted, windows))
    ]


async def live_counters_come_by_their_place(bench: Bench) -> None:
    """Those of one tenant, up to the moment before they expire, page by page as in one list."""
    rows = counters()
    over, other = a_counter(expires_at_ms=NOON_MS), a_counter(tenant="other")
    await bench.keep(*reversed(rows), over, other)
    assert await bench.store.counters(LIVE) == rows
    assert await bench.store.counters(replace(LIVE, tenant="other")) == [other]
    found: list[Counter] = []
    query = replace(LIVE, limit=4)
    while page := await bench.store.counters(query):
        assert len(page) <= query.limit
        found += page
        query = replace(query, after=place(page[-1]))
    assert found == rows
    bench.clock.ms = rows[0].expires_at_ms - 1
    assert await bench.store.counters(LIVE) == rows
    bench.clock.ms += 1
    assert await bench.store.counters(LIVE) == []


async def every_filter_of_counters_chooses_what_it_says(bench: Bench) -> None:
    """Filters hold together; a scope is that one and all below it, in whole segments."""
    rows = counters()
    await bench.keep(*rows)
    filters: list[tuple[int, dict[str, Any]]] = [
        (12, {"include_zero": False}),
        (18, {"scope": SCOPE}),
        (6, {"scope": f"{SCOPE}/agent:a"}),
        (0, {"scope": f"{SCOPE}/agent"}),
        (6, {"counted": "tool.call"}),
        (0, {"counted": "tool"}),
        (6, {"prefix": "__risk__:"}),
        (12, {"except_prefix": "__rate__:"}),
        (0, {"prefix": "__R"}),
        (9, {"window": QuotaWindow.PER_RUN}),
        (9, {"bucket": "run_1"}),
        (0, {"bucket": "run"}),
        (1, {"scope": f"{SCOPE}/agent:ab", "counted": "tool.call", "bucket": "run_1"}),
    ]
    for count, fields in filters:
        query = replace(LIVE, **fields)
        expected = [row for row in rows if query.matches(row, NOON_MS)]
        assert len(expected) == count, fields
        assert await bench.store.counters(query) == expected, fields


def entries() -> list[AuditEntry]:
    """Audit entries that tie in every column that is sorted by, the barest among them."""
    told = [
        full_entry(),
        an_entry("log_0"),
        an_entry("log_7", tenant_id="other", status=403, error_code="FORBIDDEN"),
        an_entry("log_6", tenant_id="other", status=404, error_code="BUDGET_NOT_FOUND"),
        an_entry("log_5", resource_type="policy", resource_id="pol_1", key_id="key_2"),
        an_entry("log_4", resource_type="policy", request_id="req-1", trace_id="2" * 32),
        an_entry("log_3", operation="POST:/v1/a_b", status=500, key_id="key_1"),
    ]
    return [replace(entry, at_ms=NOON_MS + number // 2) for number, entry in enumerate(told)]


async def every_order_of_the_audit_log_is_kept_page_by_page(bench: Bench) -> None:
    """Each column both ways, ties by id; what an entry does not say sorts as an empty word."""
    await bench.keep(*entries())
    for sort_by, descending in product(AUDIT_SORTS, (True, False)):
        query = replace(EVERY, sort_by=sort_by, descending=descending)
        expected = sorted(entries(), key=lambda entry: entry.log_id)
        expected.sort(key=AUDIT_SORTS[sort_by], reverse=descending)
        assert await bench.store.audit(query) == expected, (sort_by, descending)
        for limit in (1, 3):
            assert await _paged(bench, replace(query, limit=limit)) == expected, (sort_by, limit)


async def _paged(bench: Bench, query: AuditQuery) -> list[AuditEntry]:
    rows: list[AuditEntry] = []
    while page := await bench.store.audit(query):
        assert len(page) <= query.limit
        rows += page
        query = replace(query, after=(AUDIT_SORTS[query.sort_by](page[-1]), page[-1].log_id))
    return rows


async def every_filter_of_the_audit_log_chooses_what_it_says(bench: Bench) -> None:
    """Filters hold together; what an entry does not say is in no list of what is wanted."""
    rows = entries()
    await bench.keep(*rows)
    filters: list[tuple[int, dict[str, Any]]] = [
        (2, {"tenant_id": "other"}),
        (2, {"key_id": "key_1"}),
        (1, {"resource_id": "pol_1"}),
        (2, {"request_id": "req-1"}),
        (1, {"request_id": "req-1", "trace_id": "1" * 32, "tenant_id": TENANT}),
        (0, {"request_id": "req-1", "tenant_id": "other"}),
        (1, {"request_id": "req-1", "at": Window(lowest=NOON_MS + 1)}),
        (1, {"operations": ("POST:/v1/a_b", "nothing")}),
        (3, {"resource_types": ("policy", "budget")}),
        (3, {"error_codes": ("FORBIDDEN", "BUDGET_NOT_FOUND")}),
        (0, {"error_codes": ("forbidden",)}),
        (5, {"except_error_codes": ("FORBIDDEN",)}),
        (4, {"except_error_codes": ("FORBIDDEN", "BUDGET_NOT_FOUND")}),
        (1, {"status": Window(lowest=404, highest=404)}),
        (3, {"status": Window(lowest=403)}),
        (4, {"status": Window(highest=299)}),
        (2, {"at": Window(lowest=NOON_MS + 1, highest=NOON_MS + 1)}),
        (1, {"search": "POL_"}),
        (2, {"search": "forbid"}),
        (1, {"search": "A_B"}),
        (1, {"search": "log_6"}),
        (0, {"search": "%"}),
        (1, {"search": "create", "tenant_id": "other", "status": Window(highest=403)}),
    ]
    for count, fields in filters:
        query = replace(EVERY, sort_by="operation", **fields)
        expected = sorted(filter(query.matches, rows), key=lambda entry: entry.log_id)
        expected.sort(key=AUDIT_SORTS["operation"], reverse=True)
        assert len(expected) == count, (fields, expected)
        assert await bench.store.audit(query) == expected, fields


async def decisions_are_found_by_every_id_they_concern(bench: Bench) -> None:
    """The newest first, those of one tenant or of all, and by whole ids only."""
    shared = {"trace_id": "trace", "idempotency_key": "key"}
    records = [
        a_decision("dec-1", reservation_id="rsv-1", **shared),
        a_decision("dec-2", request_ids="req-1\nreq-10\nreq-2", **shared),
        a_decision("dec-3", tenant="other", **shared),
        a_decision("dec-4"),
    ]
    for record in records:
        await bench.keep(record)
    await bench.keep(again := replace(records[0], repeats=3))  # its age is that of the first time
    one, two, three, _ = again, *records[1:]
    for wanted, found in (
        ("dec-2", [two]),
        ("rsv-1", [one]),
        ("req-1", [two]),
        ("req-10", [two]),
        ("req", []),
        ("trace", [three, two, one]),
        ("key", [three, two, one]),
        ("nothing", []),
    ):
        assert await bench.store.decisions(wanted) == found, wanted
        assert await bench.store.decisions(wanted, limit=1) == found[:1], wanted
        own = [record for record in found if record.tenant == TENANT]
        assert await bench.store.decisions(wanted, tenant=TENANT) == own, wanted
    assert await bench.store.decisions("dec-3", tenant=TENANT) == []


CHECKS: Final[tuple[Check, ...]] = (
    policies_and_kinds_come_by_name,
    live_counters_come_by_their_place,
    every_filter_of_counters_chooses_what_it_says,
    every_order_of_the_audit_log_is_kept_page_by_page,
    every_filter_of_the_audit_log_chooses_what_it_says,
    decisions_are_found_by_every_id_they_concern,
)

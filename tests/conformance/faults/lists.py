"""Faults of lists."""

from collections.abc import Callable
from dataclasses import replace
from urllib.parse import parse_qsl, urlencode

from tests.conformance.fault import Broken, answering, hearing
from tests.conformance.tampering import Answered, Asked, Json


def _with_query(asked: Asked, change: Callable[[Json], Json]) -> Asked:
    if (asked.method, asked.path) != ("GET", "/v1/reservations"):
        return asked
    query = dict(parse_qsl(asked.query, keep_blank_values=True))
    return replace(asked, query=urlencode(change(query)))


def ignores_scope_filters(asked: Asked) -> Asked:
    levels = ("workspace", "app", "workflow", "agent", "toolset")
    return _with_query(asked, lambda query: {k: v for k, v in query.items() if k not in levels})


def clamps_pages(asked: Asked) -> Asked:
    def clamped(query: Json) -> Json:
        limit = query.get("limit", "50")
        return {**query, "limit": "200"} if limit.isdigit() and int(limit) > 200 else query

    return _with_query(asked, clamped)


def forgets_the_filters_of_a_cursor(asked: Asked) -> Asked:
    kept = ("cursor", "limit", "include")

    def loosened(query: Json) -> Json:
        if query.get("sort_by") != "reserved" or len(query.get("cursor", "")) in (0, 3, 500):
            return query
        is_ours = "%" not in query["cursor"]
        return {k: v for k, v in query.items() if k in kept} if is_ours else query

    return _with_query(asked, loosened)


def sorts_amounts_as_text(asked: Asked, answer: Answered) -> Answered:
    if asked.path != "/v1/reservations" or "sort_by=reserved" not in asked.query:
        return answer
    if not answer.is_ok or "limit" in asked.query:
        return answer
    rows = answer.said["reservations"]
    backwards = "sort_dir=asc" not in asked.query
    rows.sort(key=lambda row: str(row["reserved"]["amount"]), reverse=backwards)
    return answer.saying({**answer.said, "reservations": rows})


FAULTS = {
    "ignores scope filters": Broken(
        hearing(ignores_scope_filters), "RT-LIST-005 RT-LIST-006 RT-LIST-022"
    ),
    "clamps pages": Broken(hearing(clamps_pages), "RT-LIST-019"),
    "forgets the filters of a cursor": Broken(
        hearing(forgets_the_filters_of_a_cursor), "RT-LIST-022"
    ),
    "sorts amounts as text": Broken(
        answering(sorts_amounts_as_text), "RT-LIST-013 RT-LIST-015 RT-LIST-021"
    ),
}

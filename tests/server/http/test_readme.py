"""The server's page names every endpoint with what opens it, and every code that it answers."""

import re
from pathlib import Path

from runcycles import wire
from runcycles.errors import ErrorCode
from runcycles_server.http import bodies, connection
from runcycles_server.http.endpoint import Access, Plane
from runcycles_server.http.exchange import MAX_BODY_BYTES
from runcycles_server.http.openapi import possible_errors
from runcycles_server.http.routes import ENDPOINTS
from runcycles_server.stores.sqlite.reader import MAX_LISTS

PAGE = (Path(__file__).parents[3] / "packages/server/README.md").read_text(encoding="utf-8")
OPENED_BY_ADMIN = {
    Access.TENANT: "",
    Access.EITHER: "yes",
    Access.ADMIN: "only",
    Access.PUBLIC: "no key",
}


def cells(line: str) -> list[str]:
    return [cell.strip().strip("`") for cell in line.strip("|").split("|")]


def test_the_page_lists_every_endpoint_and_what_opens_it() -> None:
    shown = [cells(line) for line in PAGE.splitlines() if re.match(r"\| `[A-Z]+ ", line)]
    assert [[place, permission, admin] for place, _, permission, admin in shown] == [
        [f"{row.method} {row.path}", row.permission or "", OPENED_BY_ADMIN[row.access]]
        for row in ENDPOINTS
        if row.plane is not Plane.SERVER
    ]
    assert all(row.path in PAGE for row in ENDPOINTS)


def test_the_page_lists_every_code_under_its_status() -> None:
    answered = {code for row in ENDPOINTS for code in possible_errors(row)}
    shown = {
        ErrorCode(code): int(status)
        for status, codes in re.findall(r"^\| (\d{3}) \| (.*) \|$", PAGE, re.MULTILINE)
        for code in re.findall("`([A-Z_]+)`", codes)
    }
    assert shown == {code: wire.rule_of(code).status for code in answered}


def test_the_page_says_the_limits_that_hold() -> None:
    shown = dict(re.findall(r"^\| ([^|]+) \| ([^|]+) \| [^|]+ \|$", PAGE, flags=re.MULTILINE))
    kib = 1024
    assert shown["request line and headers"] == f"{connection.MAX_HEAD_BYTES // kib} KiB"
    times = f"{connection.MAX_HEAD_S:.0f} s"
    assert shown["… their time, the first from when the client connects"] == times
    assert shown["body"] == f"{MAX_BODY_BYTES // kib // kib} MiB"
    assert kib == connection.MIN_BODY_PACE
    assert shown["… its time"] == (
        f"{times}, and 1 s more for each KiB, up to {connection.MAX_BODY_S:.0f} s"
    )
    ordinary = f"{bodies.ORDINARY_BYTES // kib} KiB"
    together = shown[f"unanswered bodies of all connections, beyond {ordinary} of each"]
    assert together == f"{bodies.MAX_KEPT_BYTES // kib // kib} MiB"
    ahead = shown["requests sent ahead of their answers"]
    assert ahead == str(connection.MAX_SENT_AHEAD)
    assert shown["answers that are not read"] == f"{connection.MAX_UNREAD_S:.0f} s"
    assert shown["a connection that is not used"] == f"{connection.KEEP_ALIVE_S} s"
    assert shown["lists that wait to be read"] == str(MAX_LISTS)
    most = shown["connections, where the system allows that many files"]
    assert most == f"{connection.MAX_CONNECTIONS:,}"

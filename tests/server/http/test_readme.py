"""The server's page names every endpoint with what opens it, and every code that it answers."""

import re
from pathlib import Path

from runcycles import wire
from runcycles.errors import ErrorCode
from runcycles_server.http.endpoint import Access, Plane
from runcycles_server.http.openapi import possible_errors
from runcycles_server.http.routes import ENDPOINTS

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

"""The audit log as a test reads it: through its endpoint, like everybody."""

from typing import Any

from tests.support.served import Served

PATH = "/v1/admin/audit/logs"


def logs(server: Served, **query: Any) -> list[dict[str, Any]]:
    """The entries that match, the newest first."""
    with server.admin() as admin:
        answer = admin.get(PATH, params={"limit": 100, **query})
    assert answer.status_code == 200, answer.text
    rows: list[dict[str, Any]] = answer.json()["logs"]
    return rows


def the_log(server: Served, **query: Any) -> dict[str, Any]:
    """The only entry that matches."""
    rows = logs(server, **query)
    assert len(rows) == 1, rows
    return rows[0]

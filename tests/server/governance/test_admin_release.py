"""What an operator releases for a tenant is in the audit log, with the release and once."""

import httpx
import pytest

from tests.server.governance.audit_log import logs, the_log
from tests.server.http.conftest import Acme

REASON = "[INCIDENT_FORCE_RELEASE] the agent is gone"


def released(acme: Acme, reservation_id: str, key: str = "k", **body: str) -> httpx.Response:
    with acme.server.admin() as admin:
        return admin.post(
            f"/v1/reservations/{reservation_id}/release",
            json={"idempotency_key": key, **body},
            headers={"User-Agent": "cycles-cli"},
        )


def test_a_release_by_the_operator_says_who_for_whom_and_why(acme: Acme) -> None:
    held = acme.held(amount=100)
    answer = released(acme, held, reason=REASON)
    assert answer.status_code == 200
    row = the_log(acme.server, resource_id=held)
    assert (row["operation"], row["resource_type"]) == ("releaseReservation", "reservation")
    assert (row["tenant_id"], row["status"]) == (acme.tenant, 200)
    assert (row["source_ip"], row["user_agent"]) == ("127.0.0.1", "cycles-cli")
    assert row["request_id"] == answer.headers["x-request-id"]
    assert row["trace_id"] == answer.headers["x-cycles-trace-id"]
    metadata = row["metadata"]
    assert (metadata["actor_type"], metadata["reason"]) == ("admin_on_behalf_of", REASON)
    assert metadata["before"] == {"status": "ACTIVE"}
    assert metadata["after"].pop("finalized_at_ms")
    assert metadata["after"] == {"status": "RELEASED", "release_reason": REASON}


def test_a_repeated_release_is_logged_once(acme: Acme) -> None:
    held = acme.held()
    assert released(acme, held).content == released(acme, held).content
    the_log(acme.server, resource_id=held)


def test_a_release_that_was_refused_is_logged_as_an_attempt(acme: Acme) -> None:
    held = acme.held()
    acme.commit(held)
    for reservation_id, status in ((held, 409), ("never-was", 404)):
        answer = released(acme, reservation_id)
        assert answer.status_code == status
        row = the_log(acme.server, request_id=answer.json()["request_id"])
        assert (row["operation"], row["status"], row["tenant_id"]) == (
            "POST:/v1/reservations/{reservation_id}/release",
            status,
            "__admin__",
        )
    assert logs(acme.server, resource_id=held) == []


def test_a_release_by_the_tenant_is_nobody_elses_business(acme: Acme) -> None:
    held = acme.held()
    answer = acme.client.post(
        f"/v1/reservations/{held}/release", json={"idempotency_key": "k", "reason": "done"}
    )
    assert answer.status_code == 200
    assert logs(acme.server, resource_id=held) == []


@pytest.mark.parametrize("reason", ["x" * 257])
def test_a_reason_that_is_too_long_releases_nothing(acme: Acme, reason: str) -> None:
    held = acme.held()
    before = acme.ledger()
    assert released(acme, held, reason=reason).status_code == 400
    assert acme.ledger() == before

"""One server for all tests of a run; each test has a tenant of its own, so none sees another."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from tests.support.served import Served, served
from tests.support.wires import Wire


@pytest.fixture(scope="session")
def server() -> Iterator[Served]:
    with served() as running:
        yield running


@dataclass(frozen=True, slots=True)
class Acme:
    """A tenant with 1,000 tokens at its root, and a client with a key of it."""

    tenant: str
    client: httpx.Client
    server: Served

    def subject(self, **levels: str) -> dict[str, str]:
        return {"tenant": self.tenant, **levels}

    def reserve(self, key: str = "r", amount: Any = 100, **body: Any) -> httpx.Response:
        return self.client.post("/v1/reservations", json=self.question(key, amount, **body))

    def question(self, key: str = "q", amount: Any = 100, **body: Any) -> dict[str, Any]:
        return {
            "idempotency_key": key,
            "subject": self.subject(),
            "action": {"kind": "llm.completion", "name": "gpt-4o"},
            "estimate": {"unit": "TOKENS", "amount": amount},
            **body,
        }

    def spend(self, key: str = "e", amount: Any = 100, **body: Any) -> dict[str, Any]:
        asked = self.question(key, amount, **body)
        asked["actual"] = asked.pop("estimate")
        return asked

    def held(self, key: str = "held", amount: int = 100) -> str:
        """The id of a new reservation."""
        answer = self.reserve(key, amount)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["reservation_id"])

    def commit(self, reservation_id: str, amount: Any = 60, key: str = "c") -> httpx.Response:
        return self.client.post(
            f"/v1/reservations/{reservation_id}/commit",
            json={"idempotency_key": key, "actual": {"unit": "TOKENS", "amount": amount}},
        )

    def head(self, *headers: str) -> tuple[str, ...]:
        """The lines of the head of a reserve."""
        return (
            "POST /v1/reservations HTTP/1.1",
            "host: cycles",
            "content-type: application/json",
            f"x-cycles-api-key: {self.client.headers['X-Cycles-API-Key']}",
            *headers,
        )

    def ledger(self) -> tuple[Any, Any]:
        """Everything the tenant can see of its ledger."""
        balances = self.client.get("/v1/balances", params={"tenant": self.tenant})
        rows = self.client.get("/v1/reservations", params={"limit": 200})
        assert (balances.status_code, rows.status_code) == (200, 200)
        return balances.json(), rows.json()


@pytest.fixture
def acme(server: Served) -> Iterator[Acme]:
    tenant = server.tenant()
    with server.client_of(tenant) as client:
        yield Acme(tenant, client, server)


@pytest.fixture
def wire(server: Served) -> Iterator[Wire]:
    with Wire(server.base_url) as found:
        yield found

"""A real server for a test: real sockets and real HTTP, in a thread of this process."""

import asyncio
import contextlib
import itertools
import threading
from collections.abc import Coroutine, Iterator
from typing import Any, TypeVar

import httpx

from runcycles.ledger.state import Outcome, Record
from runcycles_server.http.serving import Running, serve
from runcycles_server.settings import Settings
from tests.support import contract

T = TypeVar("T")

ADMIN_KEY = "the operator's own key"
STARTED_WITHIN_S = 10


class Served:
    """A running server and the ways to talk to it."""

    def __init__(self, running: Running, loop: asyncio.AbstractEventLoop) -> None:
        self.running = running
        self.store = running.operator.store
        self._loop = loop
        self.base_url = running.base_url
        self._fresh = itertools.count()

    def client(self, **headers: str) -> httpx.Client:
        """A client whose every answer is held against the published document."""
        return httpx.Client(
            base_url=self.base_url,
            headers=headers,
            event_hooks={"response": [contract.check]},
            timeout=STARTED_WITHIN_S,
            verify=False,  # nothing is encrypted here, and reading certificates takes time
        )

    def admin(self) -> httpx.Client:
        """The operator's client."""
        return self.client(**{"X-Admin-API-Key": ADMIN_KEY})

    def key_of(self, tenant: str, **body: Any) -> str:
        """A new API key of a tenant."""
        with self.admin() as admin:
            answer = admin.post(
                "/v1/admin/api-keys", json={"tenant_id": tenant, "name": "test", **body}
            )
        assert answer.status_code == 201, answer.text
        return str(answer.json()["key_secret"])

    def tenant(self, *, allocated: int | None = 1_000, unit: str = "TOKENS", **body: Any) -> str:
        """A new tenant, with a budget at its root unless `allocated` is None."""
        tenant = f"tenant-{next(self._fresh)}"
        with self.admin() as admin:
            made = admin.post(
                "/v1/admin/tenants", json={"tenant_id": tenant, "name": tenant, **body}
            )
            assert made.status_code == 201, made.text
            if allocated is not None:
                budget = {
                    "tenant_id": tenant,
                    "scope": f"tenant:{tenant}",
                    "unit": unit,
                    "allocated": {"unit": unit, "amount": allocated},
                }
                funded = admin.post("/v1/admin/budgets", json=budget)
                assert funded.status_code == 201, funded.text
        return tenant

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Do something in the server's own event loop, where its store lives."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(STARTED_WITHIN_S)

    def put(self, record: Record) -> None:
        """Keep a record that no request could have made."""
        self.run(self.store.transact((), lambda _: Outcome(None, (record,))))

    def client_of(self, tenant: str, **body: Any) -> httpx.Client:
        """A client with a new key of a tenant."""
        return self.client(**{"X-Cycles-API-Key": self.key_of(tenant, **body)})


@contextlib.contextmanager
def served(store: str = "memory:", **settings: Any) -> Iterator[Served]:
    """A server in a thread, stopped in its orderly way at the end."""
    given = {"admin_key": ADMIN_KEY, "access_log": None, "registry_pace": 0, **settings}
    wanted = Settings(port=0, store=store, **given)
    started = threading.Event()
    found: list[tuple[Running, asyncio.AbstractEventLoop]] = []
    failed: list[BaseException] = []

    def announce(running: Running) -> None:
        found.append((running, asyncio.get_running_loop()))
        started.set()

    def main() -> None:
        try:
            asyncio.run(serve(wanted, on_started=announce))
        except BaseException as problem:  # noqa: BLE001 - raised again in the test's own thread
            failed.append(problem)
            started.set()

    thread = threading.Thread(target=main, name="server")
    thread.start()
    try:
        assert started.wait(STARTED_WITHIN_S), "the server did not start"
        if failed:
            raise failed[0]
        yield Served(*found[0])
    finally:
        for running, _ in found:
            running.stop()
        thread.join(STARTED_WITHIN_S)
    assert not thread.is_alive(), "the server did not stop"
    assert failed == []

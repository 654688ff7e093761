"""Who tried what and was refused is in the audit log, once, and costs nobody their answer."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from runcycles.errors import ErrorCode, Problem, StoreBusyError
from runcycles.ledger.state import Key, Transition
from runcycles.testing import FakeClock
from runcycles_server.governance.audit.attempts import Attempt, Attempts
from runcycles_server.governance.audit.deeds import ADMIN, Actor
from runcycles_server.http import serving
from runcycles_server.records import UNAUTHENTICATED
from runcycles_server.stores.memory import MemoryStore
from runcycles_server.stores.opening import wall_clock_ms
from runcycles_server.stores.queries import AuditQuery
from runcycles_server.throttle import MAX_SOURCES, Throttle
from tests.server.governance.audit_log import logs, the_log
from tests.server.http.conftest import Acme
from tests.support.served import Served, served

TENANTS = "/v1/admin/tenants"


def logged(server: Served, answer: httpx.Response) -> dict[str, Any]:
    """The only entry of a request."""
    return the_log(server, request_id=answer.json()["request_id"])


def test_a_refused_operator_is_logged_with_what_was_said(server: Served) -> None:
    with server.admin() as admin:
        answer = admin.get(f"{TENANTS}/nobody-here", headers={"User-Agent": "curl/8"})
    row = logged(server, answer)
    for of_this_moment in ("log_id", "timestamp"):
        row.pop(of_this_moment)
    assert row == {
        "tenant_id": "__admin__",
        "operation": f"GET:{TENANTS}/{{tenant_id}}",
        "status": 404,
        "error_code": "TENANT_NOT_FOUND",
        "source_ip": "127.0.0.1",
        "user_agent": "curl/8",
        "request_id": answer.json()["request_id"],
        "trace_id": answer.json()["trace_id"],
        "metadata": {
            "error_message": answer.json()["message"],
            "method": "GET",
            "path": f"{TENANTS}/nobody-here",
        },
    }


@pytest.mark.parametrize("headers", [{}, {"X-Admin-API-Key": "guessed"}])
def test_whoever_is_nobody_is_logged_as_nobody(server: Served, headers: dict[str, str]) -> None:
    with server.client(**headers) as client:
        answer = client.post(TENANTS, json={"tenant_id": "stolen", "name": "Stolen"})
    row = logged(server, answer)
    assert (row["tenant_id"], row["status"], row["error_code"]) == (
        "__unauth__",
        401,
        "UNAUTHORIZED",
    )


def test_a_tenants_key_is_logged_under_its_tenant(acme: Acme) -> None:
    with acme.server.client_of(acme.tenant, permissions=["balances:read"]) as client:
        answer = client.post("/v1/admin/budgets", json={})
    row = logged(acme.server, answer)
    assert (row["tenant_id"], row["status"]) == (acme.tenant, 403)
    assert row["error_code"] == "INSUFFICIENT_PERMISSIONS"
    assert row["key_id"].startswith("key_")


@pytest.mark.parametrize("headers", [{}, {"X-Cycles-API-Key": "cyc_live_" + "A" * 43}])
def test_on_the_runtime_whoever_has_no_key_is_logged(
    server: Served, headers: dict[str, str]
) -> None:
    with server.client(**headers) as client:
        answer = client.get("/v1/balances", params={"agent": "a"})
    row = logged(server, answer)
    assert (row["operation"], row["tenant_id"]) == ("GET:/v1/balances", "__unauth__")


def test_on_the_runtime_whoever_may_not_is_logged(acme: Acme) -> None:
    with acme.server.client_of(acme.tenant, permissions=["balances:read"]) as client:
        missing = client.get("/v1/reservations")
    foreign = acme.reserve(subject={"tenant": "somebody-else"})
    assert [logged(acme.server, each)["status"] for each in (missing, foreign)] == [403, 403]


def test_on_the_runtime_a_success_and_a_mistake_leave_nothing(acme: Acme) -> None:
    held = acme.reserve()
    mistake = acme.reserve("m", amount="many")
    unknown = acme.commit("never-was")
    assert [each.status_code for each in (held, mistake, unknown)] == [200, 400, 404]
    ids = [each.headers["x-request-id"] for each in (held, mistake, unknown)]
    assert [logs(acme.server, request_id=each) for each in ids] == [[], [], []]


def test_a_success_is_logged_once_and_not_as_an_attempt(server: Served) -> None:
    with server.admin() as admin:
        answer = admin.post(TENANTS, json={"tenant_id": "logged-once", "name": "x"})
    row = the_log(server, request_id=answer.headers["x-request-id"])
    assert (row["operation"], row["status"]) == ("createTenant", 201)


def test_a_wrong_method_on_a_path_of_the_operators_is_logged(server: Served) -> None:
    with server.client() as client:
        answer = client.delete(TENANTS)
    row = logged(server, answer)
    assert (row["operation"], row["status"]) == (f"DELETE:{TENANTS}", 405)


def test_what_a_stranger_writes_stays_on_its_line_and_short(server: Served) -> None:
    path = f"{TENANTS}/a%0d%0aforged%1b[31m" + "x" * 500
    with server.admin() as admin:
        answer = admin.get(path, headers={"User-Agent": "y" * 2_000})
    row = logged(server, answer)
    assert row["metadata"]["path"].startswith(f"{TENANTS}/a  forged [31mxxx")
    assert len(row["metadata"]["path"]) == 256
    assert row["metadata"]["error_message"].isprintable()
    assert len(row["user_agent"]) == 512


class FailingStore(MemoryStore):
    """A store that can be told to read no more, or to write no more."""

    reads = writes = True

    async def get(self, key: Key) -> Any:
        if not self.reads:
            raise StoreBusyError("the disk is slow")
        return await super().get(key)

    async def transact(self, footprint: tuple[Key, ...], transition: Transition[Any]) -> Any:
        if not self.writes:
            raise StoreBusyError("the disk is full")
        return await super().transact(footprint, transition)


@pytest.fixture
def store() -> FailingStore:
    return FailingStore(wall_clock_ms)


@pytest.fixture
def failing(store: FailingStore, monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    monkeypatch.setattr(serving, "open_store", lambda _url, **_: store)
    with served() as running:
        yield running


def test_an_attempt_that_cannot_be_logged_is_answered_all_the_same(
    failing: Served, store: FailingStore, caplog: pytest.LogCaptureFixture
) -> None:
    store.writes = False
    with failing.client() as client:
        answer = client.get(TENANTS)
    assert (answer.status_code, answer.json()["error"]) == (401, "UNAUTHORIZED")
    assert f"{answer.json()['request_id']} is not in the audit log" in caplog.text


def test_what_could_not_be_logged_is_counted_as_left_out(
    failing: Served, store: FailingStore
) -> None:
    with failing.client() as client:
        store.writes = False
        client.get(TENANTS)
        store.writes = True
        answer, next_answer = client.get(TENANTS), client.get(TENANTS)
    assert logged(failing, answer)["metadata"]["left_out"] == 1
    assert "left_out" not in logged(failing, next_answer)["metadata"]


def test_a_change_that_failed_is_logged_neither_as_done_nor_twice(
    failing: Served, store: FailingStore
) -> None:
    store.writes = False
    with failing.admin() as admin:
        answer = admin.post(TENANTS, json={"tenant_id": "unlucky", "name": "x"})
    assert answer.status_code == 500
    store.writes = True
    assert logs(failing, request_id=answer.json()["request_id"]) == []


def test_an_error_that_nobody_expected_is_logged_by_its_class(
    failing: Served, store: FailingStore
) -> None:
    with failing.client_of(failing.tenant()) as client:
        store.reads = False
        answer = client.get("/v1/admin/budgets")
    store.reads = True
    row = logged(failing, answer)
    assert (row["status"], row["error_code"]) == (500, "INTERNAL_ERROR")
    assert row["metadata"]["exception_class"] == "StoreBusyError"
    assert "the disk is slow" not in str(row)


# ── not more of them than fit ────────────────────────────────────────────────────────────────────

REFUSED = Problem(status=401, error_code=ErrorCode.UNAUTHORIZED, message="no")


def an_attempt(tenant_id: str, **actor: Any) -> Attempt:
    return Attempt(
        tenant_id=tenant_id,
        actor=Actor(request_id="r", trace_id="t", **actor),
        method="GET",
        path="/v1/balances",
        template="/v1/balances",
        problem=REFUSED,
    )


class Log:
    """An audit log of its own, with a clock that stands still."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.store = MemoryStore(self.clock.now_ms)
        self.attempts = Attempts(self.store)

    async def flood(self, times: int, tenant_id: str, **actor: Any) -> int:
        """How many of so many attempts were written down."""
        await self.store.start()
        before = len(await self.rows())
        for _ in range(times):
            await self.attempts.keep(an_attempt(tenant_id, **actor))
        return len(await self.rows()) - before

    async def rows(self) -> list[Any]:
        return await self.store.audit(AuditQuery(limit=100_000, descending=False))


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def test_one_address_fills_no_disk_and_what_is_left_out_is_counted() -> None:
    log = Log()
    assert await log.flood(500, UNAUTHENTICATED, source_ip="10.0.0.1") == 100
    assert await log.flood(1, UNAUTHENTICATED, source_ip="10.0.0.2") == 1
    assert (await log.rows())[-1].details["left_out"] == 400
    log.clock.advance(3_000)
    assert await log.flood(500, UNAUTHENTICATED, source_ip="10.0.0.1") == 3


async def test_many_addresses_together_fill_no_disk() -> None:
    log = Log()
    kept = 0
    for number in range(30):
        kept += await log.flood(100, UNAUTHENTICATED, source_ip=f"10.0.0.{number}")
    assert kept == 1_000
    log.clock.advance(5_000)
    assert await log.flood(100, UNAUTHENTICATED, source_ip="10.1.0.1") == 10


async def test_strangers_do_not_crowd_out_a_key_and_a_key_not_the_operator() -> None:
    log = Log()
    for number in range(20):
        await log.flood(100, UNAUTHENTICATED, source_ip=f"10.0.0.{number}")
    assert await log.flood(150, "acme", tenant="acme", key_id="key_1") == 100
    assert await log.flood(150, "acme", tenant="acme", key_id="key_2") == 100
    assert await log.flood(1_500, ADMIN) == 1_500


def test_a_throttle_forgets_sources_rather_than_to_grow() -> None:
    throttle = Throttle(burst=1, every_ms=1_000)
    assert throttle.admits("first", 0)
    assert not throttle.admits("first", 0)
    assert all(throttle.admits(f"source-{number}", 0) for number in range(MAX_SOURCES))
    assert throttle.admits("first", 0)

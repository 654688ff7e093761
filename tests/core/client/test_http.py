import asyncio
import socket
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs

import anyio
import pytest
import trio

from runcycles import (
    Action,
    AsyncCyclesClient,
    BudgetExceededError,
    CyclesClient,
    CyclesConfig,
    CyclesProtocolError,
    CyclesTransportError,
    DeniedError,
    InternalServerError,
    InvalidRequestError,
    RateLimitedError,
    ReservationExpiredError,
    Subject,
    UnauthorizedError,
    tokens,
)
from runcycles.ops import (
    Allowed,
    Balances,
    Commit,
    Denied,
    Record,
    Release,
    Reserve,
)
from runcycles.transports import SENDING, Sending
from runcycles.transports.http import AsyncHTTPTransport, HTTPTransport, Timeouts
from tests.core.client.scripted_server import (
    ALLOWED,
    COMMITTED,
    HANG_UP,
    Say,
    Server,
    problem,
    scripted,
)

RESERVE = Reserve(
    idempotency_key="key-1",
    subject=Subject(tenant="acme"),
    action=Action(kind="llm.completion", name="gpt-4o"),
    estimate=tokens(100),
)
COMMIT = Commit(idempotency_key="key-1", reservation_id="r1", actual=tokens(40))


def config(server: Server, **settings: Any) -> CyclesConfig:
    return CyclesConfig(
        base_url=server.url, api_key="cyc_live_1", tenant="acme", retry_initial_delay=0, **settings
    )


# ── requests ─────────────────────────────────────────────────────────────────────────────────


def test_a_question_is_sent_as_the_protocol_wants_it() -> None:
    with scripted(Say(ALLOWED)) as server:
        transport = HTTPTransport(config(server))
        token = SENDING.set(Sending("ab" * 16))
        transport.send(RESERVE)
        SENDING.reset(token)
        transport.close()
    [asked] = server.asked
    assert (asked.method, asked.path) == ("POST", "/v1/reservations")
    assert asked.body == {
        "idempotency_key": "key-1",
        "subject": {"tenant": "acme"},
        "action": {"kind": "llm.completion", "name": "gpt-4o"},
        "estimate": {"unit": "TOKENS", "amount": 100},
    }
    headers = asked.headers
    assert headers["x-cycles-api-key"] == "cyc_live_1"
    assert headers["x-idempotency-key"] == "key-1"
    assert headers["x-cycles-extensions"] == "0.1.26"
    assert headers["content-type"] == "application/json"
    assert headers["traceparent"].startswith(f"00-{'ab' * 16}-")
    assert headers["user-agent"].startswith("runcycles/")


def test_a_server_may_live_below_a_path() -> None:
    with scripted(Say(COMMITTED)) as server:
        settings = CyclesConfig(base_url=f"{server.url}/cycles/", api_key="k")
        transport = HTTPTransport(settings)
        transport.send(COMMIT)
        transport.close()
    assert server.asked[0].path == "/cycles/v1/reservations/r1/commit"


def test_an_id_is_only_an_id_whatever_it_holds() -> None:
    op = Release(idempotency_key="k", reservation_id="a/../../v1/events?x=")
    with scripted(
        Say({"status": "RELEASED", "released": {"unit": "TOKENS", "amount": 1}})
    ) as server:
        transport = HTTPTransport(config(server))
        transport.send(op)
        transport.close()
    assert server.asked[0].path == "/v1/reservations/a%2F..%2F..%2Fv1%2Fevents%3Fx%3D/release"


def test_what_is_read_is_asked_for_in_the_query() -> None:
    with scripted(Say({"balances": []})) as server:
        transport = HTTPTransport(config(server))
        transport.send(Balances(tenant="acme", agent="a b", include_children=True))
        transport.close()
    [asked] = server.asked
    assert (asked.method, asked.body) == ("GET", None)
    path, _, query = asked.path.partition("?")
    assert path == "/v1/balances"
    assert parse_qs(query) == {
        "tenant": ["acme"],
        "agent": ["a b"],
        "include_children": ["true"],
        "limit": ["50"],
    }
    assert "x-idempotency-key" not in asked.headers


@pytest.mark.parametrize("key", ["schlüssel", "line\nbreak", " padded "])
def test_a_key_that_fits_no_header_stays_in_the_body(key: str) -> None:
    op = Commit(idempotency_key=key, reservation_id="r1", actual=tokens(1))
    with scripted(Say(COMMITTED)) as server:
        transport = HTTPTransport(config(server))
        transport.send(op)
        transport.close()
    assert server.asked[0].body["idempotency_key"] == key
    assert "x-idempotency-key" not in server.asked[0].headers


def test_reserve_and_commit_of_one_guard_share_a_trace_and_a_connection() -> None:
    with (
        scripted(Say(ALLOWED), Say(COMMITTED)) as server,
        CyclesClient(config(server)) as client,
        client.guard(action=RESERVE.action, estimate=tokens(100)) as spend,
    ):
        trace_id = spend.trace_id
    reserve, commit = server.asked
    assert trace_of(reserve.headers) == trace_of(commit.headers) == trace_id
    assert span_of(reserve.headers) != span_of(commit.headers)
    assert reserve.connection == commit.connection


def test_two_questions_have_two_traces() -> None:
    with scripted(Say({"balances": []})) as server, CyclesClient(config(server)) as client:
        client.balances()
        client.balances()
    first, second = (trace_of(asked.headers) for asked in server.asked)
    assert first != second


def test_a_transport_used_by_hand_makes_a_trace_of_its_own() -> None:
    with scripted(Say(COMMITTED)) as server:
        transport = HTTPTransport(config(server))
        transport.send(COMMIT)
        transport.close()
    assert len(trace_of(server.asked[0].headers)) == 32


def trace_of(headers: dict[str, str]) -> str:
    return headers["traceparent"].split("-")[1]


def span_of(headers: dict[str, str]) -> str:
    return headers["traceparent"].split("-")[2]


def test_metadata_that_is_no_json_is_the_askers_mistake() -> None:
    op = Record(
        idempotency_key="k",
        subject=RESERVE.subject,
        action=RESERVE.action,
        actual=tokens(1),
        metadata={"raw": object()},
    )
    with scripted(Say()) as server:
        transport = HTTPTransport(config(server))
        with pytest.raises(InvalidRequestError):
            transport.send(op)
        transport.close()
    assert server.asked == []


# ── answers ──────────────────────────────────────────────────────────────────────────────────


def answer(say: Say, op: Any = RESERVE) -> Any:
    """What a question gets back when the server says this."""
    with scripted(say) as server:
        transport = HTTPTransport(config(server))
        try:
            return transport.send(op)
        finally:
            transport.close()


def test_an_answer_may_hold_what_we_do_not_know() -> None:
    allowed = answer(Say({**ALLOWED, "cycles_evidence": {"evidence_id": "e"}, "new": None}))
    assert isinstance(allowed, Allowed)
    assert allowed.reservation_id == "r1"


def test_a_denial_that_is_an_answer_is_a_value_with_its_ids() -> None:
    denied = answer(
        Say(
            {"decision": "DENY", "affected_scopes": [], "reason_code": "SOMETHING_NEW"},
            headers={"X-Request-Id": "req-9", "X-Cycles-Trace-Id": "b" * 32},
        )
    )
    assert isinstance(denied, Denied)
    assert (denied.reason_code, denied.request_id, denied.trace_id) == (
        "SOMETHING_NEW",
        "req-9",
        "b" * 32,
    )


@pytest.mark.parametrize(
    ("say", "op", "error"),
    [
        (problem(409, "BUDGET_EXCEEDED"), RESERVE, BudgetExceededError),
        (problem(410, "RESERVATION_EXPIRED"), COMMIT, ReservationExpiredError),
        (Say(b"", 410), COMMIT, ReservationExpiredError),
        (problem(401, "UNAUTHORIZED"), COMMIT, UnauthorizedError),
        (problem(500, "INTERNAL_ERROR"), COMMIT, InternalServerError),
        (Say(b"<html>bad gateway</html>", 502), COMMIT, InternalServerError),
        (Say(b"", 302, {"Location": "/elsewhere"}), COMMIT, CyclesProtocolError),
        (Say(b"not json"), COMMIT, CyclesTransportError),
        (Say(b""), COMMIT, CyclesTransportError),
        (Say({"status": "COMMITTED"}), COMMIT, CyclesTransportError),
        (Say({**COMMITTED, "status": "DONE"}), COMMIT, CyclesTransportError),
        (Say(COMMITTED, 202), COMMIT, CyclesTransportError),
        (Say(b"", 204), COMMIT, CyclesTransportError),
        (HANG_UP, COMMIT, CyclesTransportError),
    ],
)
def test_every_other_answer_is_raised_as_what_it_is(
    say: Say, op: Any, error: type[Exception]
) -> None:
    with pytest.raises(error) as raised:
        answer(say, op)
    assert type(raised.value) is error


def test_an_error_carries_what_helps_to_ask_about_it() -> None:
    with pytest.raises(DeniedError) as denied:
        answer(problem(409, "BUDGET_EXCEEDED"))
    error = denied.value
    assert (error.status, error.request_id, error.trace_id) == (409, "req-1", "a" * 32)


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("3", 3_000),
        ("0", 0),
        ("Wed, 21 Oct 2026 07:28:00 GMT", None),
        ("-1", None),
        ("1.5", None),
        ("9" * 30, None),
    ],
)
def test_retry_after_is_a_number_of_seconds_or_nothing(header: str, expected: int | None) -> None:
    with pytest.raises(RateLimitedError) as limited:
        answer(problem(429, "LIMIT_EXCEEDED", Retry_After=header))
    assert limited.value.retry_after_ms == expected


def test_a_server_that_is_not_there_is_no_answer() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
    client = CyclesClient(CyclesConfig(base_url=url, api_key="k", tenant="acme"))
    with pytest.raises(CyclesTransportError, match="no answer from http://127") as gone:
        client.balances()
    assert gone.value.attempts == 2
    assert gone.value.__cause__ is not None
    client.close()


def test_a_closed_client_gets_no_answer() -> None:
    with scripted(Say(COMMITTED)) as server:
        transport = HTTPTransport(config(server))
        transport.close()
        transport.close()
        with pytest.raises(CyclesTransportError, match="closed"):
            transport.send(COMMIT)


def test_a_guard_survives_a_server_that_hangs_up_after_each_question() -> None:
    with (
        scripted(HANG_UP, Say(ALLOWED), HANG_UP, Say(COMMITTED)) as server,
        CyclesClient(config(server)) as client,
        client.guard(action=RESERVE.action, estimate=tokens(100)) as spend,
    ):
        spend.record(40)
    paths = [asked.path for asked in server.asked]
    assert paths == ["/v1/reservations"] * 2 + ["/v1/reservations/r1/commit"] * 2
    keys = {asked.headers["x-idempotency-key"] for asked in server.asked}
    assert len(keys) == 1


def test_a_guard_waits_as_a_throttled_commit_was_told() -> None:
    throttled = problem(429, "LIMIT_EXCEEDED", Retry_After="0")
    with (
        scripted(Say(ALLOWED), throttled, Say(COMMITTED)) as server,
        CyclesClient(config(server)) as client,
        client.guard(action=RESERVE.action, estimate=tokens(100)),
    ):
        pass
    assert len(server.asked) == 3


# ── time ─────────────────────────────────────────────────────────────────────────────────────


def test_an_attempt_with_less_time_has_less_in_every_phase() -> None:
    phases = Timeouts(connect=2.0, read=5.0)
    assert phases.total == 11.0
    assert phases.within(None).as_dict() == {"connect": 2, "read": 5, "write": 2, "pool": 2}
    assert phases.within(99).as_dict() == phases.within(None).as_dict()
    assert phases.within(5.5).as_dict() == {"connect": 1, "read": 2.5, "write": 1, "pool": 1}


def test_a_server_that_says_nothing_is_not_waited_for_longer_than_allowed() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        transport = HTTPTransport(CyclesConfig(base_url=url, api_key="k", read_timeout=0.05))
        with pytest.raises(CyclesTransportError, match="timed out"):
            transport.send(COMMIT)
        transport.close()


# ── event loops ──────────────────────────────────────────────────────────────────────────────


async def test_an_async_client_asks_the_same() -> None:
    with scripted(Say(ALLOWED), Say(COMMITTED)) as server, anyio.fail_after(5):
        async with (
            AsyncCyclesClient(config(server)) as client,
            client.guard(action=RESERVE.action, estimate=tokens(100)) as spend,
        ):
            spend.record(40)
    reserve, commit = server.asked
    assert commit.body["actual"] == {"unit": "TOKENS", "amount": 40}
    assert trace_of(reserve.headers) == trace_of(commit.headers)
    assert reserve.connection == commit.connection


async def test_an_async_client_gets_no_answer_where_there_is_none() -> None:
    with scripted(HANG_UP) as server, anyio.fail_after(5):
        async with AsyncCyclesClient(config(server)) as client:
            with pytest.raises(CyclesTransportError):
                await client.balances()
    assert len(server.asked) == 2


@pytest.mark.parametrize("run_loop", [asyncio.run, trio.run], ids=["asyncio", "trio"])
def test_one_async_client_serves_several_event_loops(run_loop: Callable[..., Any]) -> None:
    with scripted(Say({"balances": []})) as server:
        client = AsyncCyclesClient(config(server))

        async def ask_twice() -> None:
            await client.balances()
            await client.balances()
            await client.aclose()

        run_loop(ask_twice) if run_loop is trio.run else run_loop(ask_twice())
        run_loop(ask_twice) if run_loop is trio.run else run_loop(ask_twice())
    connections = [asked.connection for asked in server.asked]
    assert len(connections) == 4
    assert len(set(connections)) == 2


async def test_closing_an_async_transport_twice_is_fine() -> None:
    with scripted(Say(COMMITTED)) as server, anyio.fail_after(5):
        transport = AsyncHTTPTransport(config(server))
        await transport.aclose()
        await transport.send(COMMIT)
        await transport.aclose()
        await transport.aclose()

"""Clients that are slow, greedy or gone: they lose their connection, and nobody else notices."""

import asyncio
import contextlib
import os
import resource
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from anyio import fail_after
from anyio.lowlevel import checkpoint

from runcycles_server.http import connection, serving
from runcycles_server.http.connection import (
    KEEP_ALIVE_S,
    MAX_BODY_S,
    MAX_CLOSING_S,
    MAX_CONNECTIONS,
    MAX_HEAD_BYTES,
    MAX_HEAD_S,
    MAX_SENT_AHEAD,
    MAX_UNREAD_S,
    MIN_BODY_PACE,
    SURPLUS,
    Connection,
    drop_overdue,
)
from runcycles_server.http.files import OTHER_FILES, most_connections
from tests.server.http.conftest import Acme
from tests.support.processes import Process, running
from tests.support.served import Served, served
from tests.support.wires import Wire

NEEDED = MAX_CONNECTIONS + SURPLUS + OTHER_FILES
MB_OF_1000_CLIENTS = 30
SENT_AHEAD = 40
"""Requests whose answers no buffer between two sockets holds."""
ALIVE = "GET /healthz HTTP/1.1\r\nhost: cycles\r\n\r\n"
OF_OPENAPI = b"GET /openapi.json HTTP/1.1\r\nhost: cycles\r\n\r\n"


def pass_time(server: Served, seconds: float) -> None:
    """What the server does about its connections so much later."""

    async def look() -> None:
        now = asyncio.get_running_loop().time()
        drop_overdue(server.running.connections(), now + seconds)

    server.run(look())


@pytest.fixture
def quiet() -> Iterator[Served]:
    """A server with no other connections than the test's own."""
    with served() as server:
        yield server


# ── too slow ────────────────────────────────────────────────────────────────────────────────────


def test_a_client_that_connects_and_asks_nothing_is_dropped(quiet: Served) -> None:
    with Wire(quiet.base_url) as silent:
        answered_once(quiet)
        pass_time(quiet, MAX_HEAD_S - 1)
        assert len(quiet.running.connections()) == 1
        pass_time(quiet, MAX_HEAD_S + 1)
        assert silent.is_hung_up()


def answered_once(server: Served) -> None:
    with server.client() as client:
        assert client.get("/healthz").status_code == 200


def test_a_head_that_comes_byte_by_byte_has_ten_seconds(server: Served, wire: Wire) -> None:
    wire.socket.sendall(b"GET /healthz HTTP/1.1\r\nx-")
    answered_once(server)
    wire.socket.sendall(b"slow: 1")
    answered_once(server)
    pass_time(server, MAX_HEAD_S + 1)
    assert wire.is_hung_up()


def test_a_body_may_take_longer_at_a_decent_pace(acme: Acme, wire: Wire) -> None:
    seconds = 20
    wire.send(*acme.head(f"content-length: {10**6}", "expect: 100-continue"))
    assert wire.socket.recv(100).startswith(b"HTTP/1.1 100")  # the server waits for the body now
    wire.socket.sendall(b" " * MIN_BODY_PACE * seconds)
    assert acme.reserve("other").status_code == 200
    pass_time(acme.server, MAX_HEAD_S + seconds - 1)
    wire.socket.sendall(b" ")
    pass_time(acme.server, MAX_HEAD_S + seconds + 1)
    assert wire.is_hung_up()
    assert acme.reserve("another").status_code == 200


def test_no_body_takes_longer_than_a_minute(acme: Acme, wire: Wire) -> None:
    wire.send(*acme.head(f"content-length: {10**6}", "expect: 100-continue"))
    assert wire.socket.recv(100).startswith(b"HTTP/1.1 100")
    wire.socket.sendall(b" " * (10**6 - 1))
    assert acme.reserve("other").status_code == 200
    pass_time(acme.server, MAX_BODY_S + 1)
    assert wire.is_hung_up()


def test_a_body_that_nobody_waits_for_any_more_has_to_come_all_the_same(
    server: Served, wire: Wire
) -> None:
    wire.send("POST /v1/reservations HTTP/1.1", "host: cycles", "content-length: 1000")
    assert wire.socket.recv(20).startswith(b"HTTP/1.1 401")
    pass_time(server, MAX_HEAD_S + 1)
    assert b"UNAUTHORIZED" in wire.received()


def test_a_connection_that_is_not_used_ends(server: Served, wire: Wire) -> None:
    wire.socket.sendall(ALIVE.encode())
    assert wire.socket.recv(20).startswith(b"HTTP/1.1 200")
    answered_once(server)
    pass_time(server, KEEP_ALIVE_S - 1)
    wire.socket.sendall(b"\r\n")  # no request begins with this, so it earns no time
    answered_once(server)
    pass_time(server, KEEP_ALIVE_S + 1)
    assert b'"ok"' in wire.received()


def test_a_connection_is_idle_again_once_a_refused_body_has_come(
    server: Served, wire: Wire
) -> None:
    wire.send("POST /v1/reservations HTTP/1.1", "host: cycles", "content-length: 10")
    assert wire.socket.recv(20).startswith(b"HTTP/1.1 401")
    wire.socket.sendall(b" " * 10)
    answered_once(server)
    pass_time(server, MAX_HEAD_S + 1)
    pass_time(server, KEEP_ALIVE_S + 1)
    assert b"UNAUTHORIZED" in wire.received()


# ── too much ────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("length", [MAX_HEAD_BYTES - 100, MAX_HEAD_BYTES])
def test_a_head_is_refused_just_beyond_its_limit(wire: Wire, length: int) -> None:
    wire.send("GET /healthz HTTP/1.1", "connection: close", f"x-pad: {'x' * length}")
    status, _, body = wire.answer()
    assert status == (431 if length == MAX_HEAD_BYTES else 200)
    assert status == 200 or f"{MAX_HEAD_BYTES:,}" in body["message"]


def test_a_path_that_is_too_long_is_refused(wire: Wire) -> None:
    wire.send(f"GET /{'x' * MAX_HEAD_BYTES} HTTP/1.1")
    assert wire.answer()[0] == 431


def test_a_head_of_many_pieces_is_refused_as_well(server: Served, wire: Wire) -> None:
    wire.socket.sendall(b"GET /healthz HTTP/1.1\r\n")
    for number in range(9):
        answered_once(server)
        wire.socket.sendall(f"x-{number}: {'x' * (MAX_HEAD_BYTES // 8)}\r\n".encode())
    assert wire.answer()[0] == 431


def test_a_head_behind_another_request_is_measured_alone(acme: Acme, wire: Wire) -> None:
    content = b" " * (MAX_HEAD_BYTES - 200)
    head = "\r\n".join((*acme.head(f"content-length: {len(content)}"), "", "")).encode()
    wire.socket.sendall(head + content + b"GET /healthz HTTP/1.1\r\nconnection: close\r\n")
    assert wire.socket.recv(20).startswith(b"HTTP/1.1 400")
    wire.socket.sendall(b"\r\n")
    assert wire.received().endswith(b'{"status":"ok"}')


def test_what_comes_behind_a_body_is_not_kept(acme: Acme, wire: Wire) -> None:
    wire.send(*acme.head("transfer-encoding: chunked", "connection: close"))
    trailers = "".join(f"x-{number}: y\r\n" for number in range(1_000))
    wire.socket.sendall(f"2\r\n{{}}\r\n0\r\n{trailers}\r\n".encode())
    status, _, body = wire.answer()
    assert (status, body["error"]) == (400, "INVALID_REQUEST")


@pytest.mark.parametrize(("sent", "at_least"), [(200, MAX_SENT_AHEAD), (5_000, 0)])
def test_a_flood_of_requests_is_answered_up_to_a_bound(
    wire: Wire, sent: int, at_least: int
) -> None:
    with contextlib.suppress(OSError):  # it may hang up while the flood still comes
        wire.socket.sendall(ALIVE.encode() * sent)
    found = wire.received().count(b"HTTP/1.1 200")
    assert at_least <= found <= 2 * MAX_SENT_AHEAD


def test_some_requests_may_be_sent_ahead_and_come_back_in_order(acme: Acme, wire: Wire) -> None:
    paths = [f"/v1/nothing-{number}" for number in range(MAX_SENT_AHEAD // 2)]
    requests = [f"GET {path} HTTP/1.1\r\nhost: cycles\r\n" for path in paths]
    wire.socket.sendall("\r\n".join((*requests, "")).encode())
    wire.socket.sendall(b"GET /healthz HTTP/1.1\r\nconnection: close\r\n\r\n")
    *answers, last = wire.answers()
    assert [body["message"].rpartition(" ")[2] for _, _, body in answers] == paths
    assert last[2] == {"status": "ok"}


def test_nonsense_behind_unanswered_requests_is_not_taken_for_their_answer(
    acme: Acme, wire: Wire
) -> None:
    begun = "\r\n".join((*acme.head("transfer-encoding: chunked"), "", "")).encode()
    wire.socket.sendall(ALIVE.encode() * 2 + begun + b"not a length\r\n")
    assert all(status == 200 for status, _, _ in wire.answers())


# ── never read ──────────────────────────────────────────────────────────────────────────────────


def wait_until(server: Served, so: Callable[[set[Connection]], bool]) -> None:
    """Wait until the server's connections are as they should be."""

    async def look() -> None:
        with fail_after(5):
            while not so(server.running.connections()):
                await checkpoint()

    server.run(look())


def leaves_all_unread(server: Served) -> Wire:
    """A client that has sent requests ahead and has not read so much that the server waits."""
    deaf = Wire(server.base_url, window=4_096)
    deaf.socket.sendall(OF_OPENAPI * SENT_AHEAD)
    wait_until(server, lambda found: any(each.flow.write_paused for each in found))
    return deaf


def test_a_client_that_reads_no_answers_is_dropped(quiet: Served) -> None:
    with leaves_all_unread(quiet):
        pass_time(quiet, MAX_UNREAD_S - 1)
        answered_once(quiet)
        pass_time(quiet, MAX_UNREAD_S + 1)
        wait_until(quiet, lambda found: not found)


def test_a_client_that_reads_at_last_gets_its_answers(quiet: Served) -> None:
    with leaves_all_unread(quiet) as deaf:
        deaf.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        deaf.socket.sendall(b"GET /healthz HTTP/1.1\r\nconnection: close\r\n\r\n")
        answers = deaf.answers()
    assert [status for status, _, _ in answers] == [200] * (SENT_AHEAD + 1)


def test_a_client_that_does_not_take_leave_is_forgotten(quiet: Served) -> None:
    with leaves_all_unread(quiet):
        wait_until(quiet, hung_up)
        pass_time(quiet, 0)
        assert len(quiet.running.connections()) == 1
        pass_time(quiet, MAX_CLOSING_S + 1)
        wait_until(quiet, lambda found: not found)


def hung_up(found: set[Connection]) -> bool:
    for each in found:
        each.transport.close()
    return True


# ── too many ────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    """A server for two clients, and one more that is told to come back."""
    monkeypatch.setattr(serving, "most_connections", lambda: 2)
    monkeypatch.setattr(connection, "SURPLUS", 1)
    with served() as server:
        yield server


def asking(server: Served) -> Wire:
    """A client that has asked, and stays."""
    wire = Wire(server.base_url)
    wire.socket.sendall(ALIVE.encode())
    return wire


def test_a_client_too_many_is_told_when_to_come_back(small: Served) -> None:
    with asking(small) as first, asking(small) as second:
        assert first.socket.recv(12) == second.socket.recv(12) == b"HTTP/1.1 200"
        with asking(small) as third:
            status, headers, body = third.answer()
        assert (status, body["error"]) == (503, "LIMIT_EXCEEDED")
        assert (headers["retry-after"], headers["connection"]) == ("1", "close")
    wait_until(small, lambda found: not found)
    answered_once(small)


def test_of_many_too_many_no_notice_is_taken(small: Served) -> None:
    with contextlib.ExitStack() as stack:
        served_ones = [stack.enter_context(asking(small)) for _ in range(2)]
        assert [each.socket.recv(12) for each in served_ones] == [b"HTTP/1.1 200"] * 2
        silent = stack.enter_context(Wire(small.base_url))
        wait_until(small, lambda found: len(found) == 3)
        assert stack.enter_context(Wire(small.base_url)).is_hung_up()
        pass_time(small, MAX_HEAD_S + 1)
        assert silent.is_hung_up()


@pytest.mark.parametrize(
    ("soft", "hard", "asked_for", "most"),
    [
        (NEEDED, NEEDED, None, MAX_CONNECTIONS),
        (1_024, NEEDED * 2, NEEDED, MAX_CONNECTIONS),
        (1_024, resource.RLIM_INFINITY, NEEDED, MAX_CONNECTIONS),
        (256, 1_024, 1_024, 1_024 - SURPLUS - OTHER_FILES),
        (resource.RLIM_INFINITY, resource.RLIM_INFINITY, None, MAX_CONNECTIONS),
        (16, 16, 16, 1),
    ],
)
def test_there_are_as_many_connections_as_the_system_has_files_for(
    monkeypatch: pytest.MonkeyPatch, soft: int, hard: int, asked_for: int | None, most: int
) -> None:
    limits: list[tuple[int, int]] = []
    monkeypatch.setattr(resource, "getrlimit", lambda _which: (soft, hard))
    monkeypatch.setattr(resource, "setrlimit", lambda _which, limit: limits.append(limit))
    assert most_connections() == most
    assert limits == ([] if asked_for is None else [(asked_for, hard)])


def resident_mb(process: Process) -> float:
    """The memory of a process."""
    asked = ["ps", "-o", "rss=", "-p", str(process.started.pid)]
    return int(subprocess.run(asked, check=True, capture_output=True).stdout) / 1024


def test_a_thousand_idle_clients_cost_little_and_disturb_nobody(tmp_path: Path) -> None:
    serve = ("serve", "--port", "0", "--store", "memory:", "--json", "--access-log", os.devnull)
    with running(*serve, cwd=tmp_path) as process:
        base_url = process.said()["base_url"]
        memory = [resident_mb(process)]
        for _ in range(3):
            with contextlib.ExitStack() as stack, httpx.Client(base_url=base_url) as honest:
                for idle in [asking_at(base_url, stack) for _ in range(1_000)]:
                    assert idle.socket.recv(12) == b"HTTP/1.1 200"
                for _ in range(100):
                    assert honest.get("/healthz").status_code == 200
                memory.append(resident_mb(process))
        process.stop()
    assert memory[1] - memory[0] < MB_OF_1000_CLIENTS
    assert memory[3] - memory[1] < MB_OF_1000_CLIENTS / 5


def asking_at(base_url: str, stack: contextlib.ExitStack) -> Wire:
    wire = stack.enter_context(Wire(base_url))
    wire.socket.sendall(ALIVE.encode())
    return wire

"""Bodies that arrive together: bounded together, and no hindrance to ordinary questions."""

import json
import os
import select
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest
from anyio import fail_after
from anyio.lowlevel import checkpoint

from runcycles_server.http import bodies
from runcycles_server.http.bodies import MAX_KEPT_BYTES, ORDINARY_BYTES, Bodies
from runcycles_server.http.connection import MAX_BODY_S
from runcycles_server.http.exchange import MAX_BODY_BYTES
from tests.server.http.conftest import Acme
from tests.server.http.test_hostile_peers import pass_time, resident_mb
from tests.support.crashes import opened, serving
from tests.support.load import tokens
from tests.support.served import served
from tests.support.wires import PATIENCE_S, Wire

LENGTH = 500_000
SENT = 400_000
ROOM = 1_000_000
"""For two of them."""
CLIENTS = 8


@pytest.fixture
def acme() -> Iterator[Acme]:
    """A tenant on a server of its own, with one connection that stays open."""
    with served() as server:
        tenant = server.tenant()
        with server.client_of(tenant) as client:
            client.get("/healthz")
            yield Acme(tenant, client, server)


@pytest.fixture
def little_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "MAX_KEPT_BYTES", ROOM)


def counted(acme: Acme) -> Bodies:
    """What the server counts, for all of its connections."""
    found: set[Bodies] = {each.bodies for each in acme.server.running.connections()}
    return found.pop()


def wait_until_kept(acme: Acme, size: int) -> None:
    found = counted(acme)

    async def look() -> None:
        with fail_after(PATIENCE_S):
            while found.kept != size:
                await checkpoint()

    acme.server.run(look())


def begin(acme: Acme, wire: Wire, sent: int = SENT) -> None:
    """Send the most of a body, and leave the server waiting for the rest."""
    wire.send(*acme.head(f"content-length: {LENGTH}"))
    wire.socket.sendall(b" " * sent)


def answered(wires: list[Wire], count: int) -> list[Wire]:
    """Those that have an answer, once there are so many of them."""
    found: list[Wire] = []
    while len(found) < count:
        sockets = {wire.socket: wire for wire in wires if wire not in found}
        ready, _, _ = select.select(list(sockets), [], [], PATIENCE_S)
        assert ready, f"only {len(found)} were answered"
        found += [sockets[socket] for socket in ready]
    return found


def status_of(wire: Wire) -> tuple[bytes, bytes]:
    """The first line and the rest of an answer on a connection that stays open."""
    said = wire.socket.recv(65_536)
    first, _, rest = said.partition(b"\r\n")
    return first, rest


def test_large_bodies_that_come_slowly_share_their_room_and_others_are_served(
    acme: Acme, little_room: None
) -> None:
    with ExitStack() as stack:
        wires = [stack.enter_context(Wire(acme.server.base_url)) for _ in range(CLIENTS)]
        for number, wire in enumerate(wires):
            begin(acme, wire)
            assert acme.reserve(f"honest-{number}", amount=1).status_code == 200
            assert counted(acme).kept <= ROOM
        away = answered(wires, CLIENTS - ROOM // SENT)
        for wire in away:
            first, rest = status_of(wire)
            assert b" 429 " in first
            assert b"retry-after: 1\r\n" in rest.lower()
            assert b"nothing was changed" in rest
        for wire in wires:
            wire.socket.sendall(b" " * (LENGTH - SENT))
        for wire in wires:
            if wire not in away:
                assert b" 400 " in status_of(wire)[0]  # spaces are no JSON
        wait_until_kept(acme, 0)
        wire = away[0]
        wire.socket.sendall(b"GET /healthz HTTP/1.1\r\nhost: cycles\r\n\r\n")
        assert b" 200 " in status_of(wire)[0]


def test_without_a_common_bound_they_would_keep_as_much_as_they_send(acme: Acme) -> None:
    with ExitStack() as stack:
        for _ in range(CLIENTS):
            begin(acme, stack.enter_context(Wire(acme.server.base_url)))
        wait_until_kept(acme, CLIENTS * (SENT - ORDINARY_BYTES))
        assert counted(acme).kept > ROOM
    wait_until_kept(acme, 0)


def hang_up(_acme: Acme, wire: Wire) -> None:
    wire.socket.close()


def be_too_slow(acme: Acme, wire: Wire) -> None:
    pass_time(acme.server, MAX_BODY_S + 1)
    assert wire.is_hung_up()


def send_the_rest(_acme: Acme, wire: Wire) -> None:
    wire.socket.sendall(b" " * (LENGTH - SENT))
    assert b" 400 " in status_of(wire)[0]


def send_the_rest_and_more(_acme: Acme, wire: Wire) -> None:
    wire.socket.sendall(b" " * (LENGTH - SENT) + b"GET /healthz HTTP/1.1\r\n\r\n" * 3)
    assert b" 400 " in status_of(wire)[0]


@pytest.mark.parametrize("end", [hang_up, be_too_slow, send_the_rest, send_the_rest_and_more])
def test_what_a_request_kept_is_given_back_whatever_ends_it(
    acme: Acme, end: Callable[[Acme, Wire], None]
) -> None:
    with Wire(acme.server.base_url) as wire:
        begin(acme, wire)
        wait_until_kept(acme, SENT - ORDINARY_BYTES)
        end(acme, wire)
        wait_until_kept(acme, 0)
        assert acme.reserve().status_code == 200
    wait_until_kept(acme, 0)


@pytest.mark.parametrize("last", ["0\r\n\r\n", "no length\r\n", "1\r\n \r\n"])
def test_what_a_body_of_no_known_length_kept_is_given_back(acme: Acme, last: str) -> None:
    with Wire(acme.server.base_url) as wire:
        wire.send(*acme.head("transfer-encoding: chunked"))
        wire.socket.sendall(f"{MAX_BODY_BYTES:x}\r\n".encode() + b" " * MAX_BODY_BYTES + b"\r\n")
        wait_until_kept(acme, MAX_BODY_BYTES - ORDINARY_BYTES)
        wire.socket.sendall(last.encode())
        assert wire.socket.recv(12) in (b"HTTP/1.1 400", b"HTTP/1.1 413")
        wait_until_kept(acme, 0)


def test_what_was_sent_ahead_stays_counted_until_it_is_answered_itself(acme: Acme) -> None:
    padded = json.dumps(acme.question(metadata={"pad": "x" * ORDINARY_BYTES * 2})).encode()
    first = "\r\n".join((*acme.head(f"content-length: {len(padded)}"), "", "")).encode() + padded
    with Wire(acme.server.base_url) as wire:
        wire.socket.sendall(first)
        assert b" 200 " in status_of(wire)[0]
        begun = "\r\n".join((*acme.head(f"content-length: {LENGTH}"), "", "")).encode()
        wire.socket.sendall(first * 2 + begun + b" " * SENT)
        wait_until_kept(acme, SENT - ORDINARY_BYTES)
    wait_until_kept(acme, 0)


def test_a_body_that_comes_in_one_piece_and_finds_no_room_is_not_taken_for_a_shorter_one(
    acme: Acme, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bodies, "MAX_KEPT_BYTES", 0)
    before = acme.ledger()
    for size, status in ((ORDINARY_BYTES - 1_000, 200), (ORDINARY_BYTES, 429), (SENT, 429)):
        answer = acme.reserve(f"of-{size}", amount=0, metadata={"pad": "x" * size})
        assert answer.status_code == status
    assert acme.ledger()[0] == before[0]
    assert len(acme.ledger()[1]["reservations"]) == 1
    assert counted(acme).kept == 0


def test_the_memory_of_a_server_stays_bounded_whatever_arrives(tmp_path: Path) -> None:
    clients, kept_mb = 200, MAX_KEPT_BYTES / 2**20
    with serving(tmp_path, log=os.devnull) as process, ExitStack() as stack:
        base_url = process.said()["base_url"]
        scene = opened(base_url, "bounded")
        before = resident_mb(process)
        head = (
            "POST /v1/reservations HTTP/1.1",
            "host: cycles",
            f"x-cycles-api-key: {scene.key}",
            f"content-length: {MAX_BODY_BYTES}",
        )
        wires = [stack.enter_context(Wire(base_url)) for _ in range(clients)]
        for wire in wires:
            wire.send(*head)
            wire.socket.sendall(b" " * (MAX_BODY_BYTES - 1))
        answered(wires, clients - MAX_KEPT_BYTES // (MAX_BODY_BYTES - 1 - ORDINARY_BYTES))
        assert kept_mb / 2 < resident_mb(process) - before < kept_mb * 2
        with httpx.Client(base_url=base_url, headers={"X-Cycles-API-Key": scene.key}) as honest:
            question = {
                "idempotency_key": "honest",
                "subject": {"tenant": scene.tenant},
                "action": {"kind": "llm.completion", "name": "gpt-4o"},
                "estimate": tokens(5),
            }
            assert honest.post("/v1/reservations", json=question).status_code == 200

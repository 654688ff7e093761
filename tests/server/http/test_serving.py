"""How a server takes the connections of its clients."""

import asyncio
import socket
from contextlib import ExitStack
from urllib.parse import urlsplit

import pytest
import uvloop
from anyio.lowlevel import checkpoint

from runcycles_server.http import serving
from runcycles_server.http.serving import Running, serve
from runcycles_server.settings import Settings

CLIENTS = 64
MAX_TURNS = 1_000


async def turns_until_all_are_connected() -> int:
    """How often the event loop goes round before it knows clients that came at once."""
    loop = asyncio.get_running_loop()
    started: asyncio.Future[Running] = loop.create_future()
    settings = Settings(store="memory:", port=0, admin_key="the operator's own key")
    task = asyncio.ensure_future(serve(settings, on_started=started.set_result))
    running = await started
    address = urlsplit(running.base_url)
    turns = 0
    with ExitStack() as clients:
        for _ in range(CLIENTS):
            client = socket.create_connection((address.hostname, address.port), timeout=10)
            clients.enter_context(client)
        while len(running.connections()) < CLIENTS:
            await checkpoint()
            turns += 1
            assert turns < MAX_TURNS
    running.stop()
    await task
    return turns


def measured() -> int:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(turns_until_all_are_connected())


def test_clients_that_come_at_once_are_taken_many_in_a_turn() -> None:
    assert measured() <= CLIENTS // serving.ACCEPTORS + 4


def test_one_listening_socket_takes_one_client_a_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "ACCEPTORS", 1)
    assert measured() >= CLIENTS

import subprocess
import sys
import threading
from typing import Any

import pytest

from runcycles import (
    Action,
    CyclesClient,
    CyclesConfig,
    tokens,
    usd,
)
from runcycles.connection import Connection
from runcycles.testing import InMemoryAuthority

ACTION = Action(kind="llm.completion", name="gpt-4o")
SERVER = CyclesConfig(base_url="http://localhost:1", api_key="k", tenant="acme")


def test_an_embedded_url_opens_the_authority_that_is_installed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    opened = []

    class Entry:
        @staticmethod
        def load() -> Any:
            def open_embedded(url: str) -> InMemoryAuthority:
                opened.append(url)
                return InMemoryAuthority(tenant="demo", budgets={"tenant:demo": usd("5")})

            return open_embedded

    def entry_points(*, group: str, name: str) -> list[type[Entry]]:
        assert (group, name) == ("runcycles.authorities", "embedded")
        return [Entry]

    monkeypatch.setattr("importlib.metadata.entry_points", entry_points)
    url = "embedded:?tenant=demo&budget=5usd"
    with (
        CyclesClient(CyclesConfig(base_url=url)) as client,
        client.guard(action=ACTION, estimate=usd("1")) as spend,
    ):
        assert spend.subject.tenant == "demo"
    assert opened == [url]


def test_the_tenant_of_the_config_comes_before_that_of_the_authority() -> None:
    authority = InMemoryAuthority(tenant="demo")
    config = CyclesConfig(base_url="embedded:", tenant="acme", agent="writer")
    subject = Connection(config, authority).subject_of()
    assert (subject.tenant, subject.agent) == ("acme", "writer")


def test_nothing_is_opened_before_it_is_used() -> None:
    before = threading.active_count()
    client = CyclesClient(SERVER)
    client.guard(action=ACTION, estimate=usd("1"))
    client.close()
    assert threading.active_count() == before


def test_threads_that_ask_first_at_once_share_one_transport() -> None:
    connection = Connection(SERVER)
    gate = threading.Barrier(8)
    found = []

    def use() -> None:
        gate.wait(5)
        found.append(connection.transport)

    threads = [threading.Thread(target=use) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(5)
    assert len({id(each) for each in found}) == 1
    connection.close()


async def test_a_connection_keeps_its_async_transport() -> None:
    connection = Connection(SERVER)
    assert connection.async_transport is connection.async_transport
    await connection.aclose()


FORKED = """
import os, threading
from runcycles.connection import Connection
from runcycles import CyclesConfig

connection = Connection(CyclesConfig(base_url="http://localhost:1", api_key="k", tenant="acme"))
parents, heartbeat = connection.transport, connection.heartbeat
if os.fork() == 0:
    childs = connection.transport
    fresh = childs is not parents and connection.heartbeat is not heartbeat
    os._exit(0 if fresh and connection.transport is childs else 1)
_, status = os.wait()
assert status == 0, status
assert connection.transport is parents
"""


def test_a_forked_child_opens_its_own_connections() -> None:
    subprocess.run([sys.executable, "-c", FORKED], check=True, timeout=30)


def test_many_open_guards_share_two_threads() -> None:
    before = threading.active_count()
    authority = InMemoryAuthority(budgets={"tenant:acme": tokens(10_000)})
    with CyclesClient(authority=authority) as client:
        guards = [client.guard(action=ACTION, estimate=tokens(1)).open() for _ in range(1_000)]
        assert threading.active_count() <= before + 2
        for guard in guards:
            guard.settle()
    assert authority.account("tenant:acme").spent == 1_000


IMPORTED = """
import sys
import runcycles

heavy = {"httpx", "pydantic", "asyncio", "trio"} & set(sys.modules)
assert not heavy, heavy
import threading, logging
assert threading.active_count() == 1
assert not logging.getLogger("runcycles").handlers
"""


def test_importing_it_starts_nothing_and_loads_no_http() -> None:
    subprocess.run([sys.executable, "-c", IMPORTED], check=True, timeout=30)

"""One server process: a socket, a store, the application, and an orderly end.

One worker and one event loop, because the store's writer lives on it. On SIGTERM or SIGINT no new
connection is taken, what is being answered is answered, and only then the store is closed.
"""

import asyncio
import contextlib
import logging
import signal
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, cast

import uvicorn

from runcycles_server.authority import Authority
from runcycles_server.governance.admin_key import AdminKey, admin_key
from runcycles_server.governance.operator import Operator
from runcycles_server.http.access_log import access_log_to
from runcycles_server.http.app import App
from runcycles_server.http.auth import Gate
from runcycles_server.http.bodies import Bodies
from runcycles_server.http.connection import KEEP_ALIVE_S, Connection, drop_overdue
from runcycles_server.http.endpoint import Service
from runcycles_server.http.files import most_connections
from runcycles_server.http.metrics import Metrics
from runcycles_server.http.routes import ENDPOINTS
from runcycles_server.settings import Settings, StartError
from runcycles_server.stores import open_store
from runcycles_server.sweeper import Sweeper
from runcycles_server.throttle import Throttle

BACKLOG: Final = 2048
ACCEPTORS: Final = 16
"""Connections that are taken in one turn of the event loop.

uvloop takes one a turn from each listening socket, and a turn with a commit in it takes
milliseconds: of two hundred clients that come at once the last would wait for most of a second.
"""
GRACE_S: Final = 30
"""How long what is being answered may take to finish once the server is told to stop."""
_TICKS_PER_S: Final = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """What a started server has to say: where it is, and how to govern it."""

    base_url: str
    admin_key: AdminKey
    operator: Operator
    stop: Callable[[], None]
    connections: Callable[[], set[Any]]


def listening_socket(host: str, port: int) -> socket.socket:
    """A bound socket, so that a port in use is noticed before anything is opened.

    Raises:
        StartError: where the address cannot be used.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
    except (OSError, UnicodeError) as problem:
        raise StartError(f"{host!r} is no address that can be listened on") from problem
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(address)
        listener.listen(BACKLOG)
    except (OSError, OverflowError) as problem:
        listener.close()
        reason = getattr(problem, "strerror", None) or problem
        raise StartError(f"cannot listen on {host}:{port}: {reason}") from problem
    return listener


def base_url_of(listener: socket.socket) -> str:
    """The URL under which a socket is reached from this machine."""
    host, port = listener.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - only compared
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


class Server(uvicorn.Server):
    """uvicorn, stopped in our order; its own would end the process before the store is closed."""

    def __init__(self, app: App, on_started: Callable[[], None]) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                http=cast("Any", partial(Connection, bodies=Bodies(), most=most_connections())),
                ws="none",
                lifespan="off",
                log_config=None,
                log_level=logging.ERROR,  # strangers could fill a disk with uvicorn's warnings
                access_log=False,
                proxy_headers=False,
                server_header=False,
                backlog=BACKLOG,
                timeout_keep_alive=KEEP_ALIVE_S,
                timeout_graceful_shutdown=GRACE_S,
            )
        )
        self._on_started = on_started

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Take connections, then say so."""
        await super().startup(sockets)
        self._on_started()

    async def on_tick(self, counter: int) -> bool:
        """Look after the connections once a second; say whether to stop."""
        if counter % _TICKS_PER_S == 0:
            drop_overdue(self.server_state.connections, asyncio.get_running_loop().time())
        return await super().on_tick(counter)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Turn the first signal into an orderly end; a second SIGINT ends it at once."""
        loop = asyncio.get_running_loop()
        caught: list[signal.Signals] = []
        for number in (signal.SIGTERM, signal.SIGINT):
            # Outside the main thread nobody may listen to signals, and nobody sends any.
            with contextlib.suppress(NotImplementedError, RuntimeError, ValueError):
                loop.add_signal_handler(number, self.handle_exit, number, None)
                caught.append(number)
        try:
            yield
        finally:
            for number in caught:
                loop.remove_signal_handler(number)


@contextlib.asynccontextmanager
async def opened(
    settings: Settings, connections: Callable[[], int]
) -> AsyncIterator[tuple[App, AdminKey, Operator]]:
    """The application over its store, swept in the background, closed at the end.

    Raises:
        StartError, StoreError: with a sentence that says what to do.
    """
    with access_log_to(settings.access_log) as access_log:
        metrics = Metrics() if settings.metrics else None
        on_commit = None if metrics is None else metrics.committed
        store = open_store(settings.store, on_commit=on_commit)
        await store.start()
        try:
            key = await admin_key(store, settings.admin_key)
            operator = Operator(store)
            service = Service(
                Authority(store), operator, metrics, _passers_by(settings.registry_pace)
            )
            gate = Gate(store, admin_digest=key.digest)
            app = App(ENDPOINTS, service, gate, access_log)
            sweeper = Sweeper(store, also=gate.uses.flush)
            if metrics is not None:
                metrics.watch(store, sweeper, connections)
            sweeper.start()
            try:
                yield app, key, operator
            finally:
                await sweeper.stop()
        finally:
            await store.close()


def _passers_by(pace: int) -> Throttle | None:
    return Throttle(burst=pace, every_ms=-(-60_000 // pace)) if pace else None


async def nothing(_running: Running) -> None:
    """Nothing to do before the first request."""


async def serve(
    settings: Settings,
    *,
    on_started: Callable[[Running], None],
    prepare: Callable[[Running], Awaitable[None]] = nothing,
) -> None:
    """Serve until told to stop; `prepare` runs on the open store before the first request.

    Raises:
        StartError, StoreError: it could not start; the sentence says why.
    """
    with contextlib.closing(listening_socket(settings.host, settings.port)) as listener:
        found: set[Any] = set()
        async with opened(settings, lambda: len(found)) as (app, key, operator):
            server = Server(app, lambda: on_started(running))
            found = server.server_state.connections
            running = Running(
                base_url=base_url_of(listener),
                admin_key=key,
                operator=operator,
                stop=lambda: server.handle_exit(signal.SIGTERM, None),
                connections=lambda: found,
            )
            await prepare(running)
            await server.serve([listener, *(listener.dup() for _ in range(ACCEPTORS - 1))])

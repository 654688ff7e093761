"""The application: what every request passes, whatever becomes of it.

Correlate, find the endpoint, let the caller in, handle, answer, log. Starlette routes; the
endpoints behind its routes are bare ASGI callables, because its request and response objects cost
more than the ledger does. Nothing leaves here but the protocol's own answers: an exception that
nobody expected becomes a 500 whose request id finds its traceback in the log.
"""

import logging
from collections.abc import Iterable

from starlette.routing import Route, Router
from starlette.types import Receive, Scope, Send

from runcycles.errors import CyclesProtocolError, StoreError
from runcycles_server.http.access_log import AccessLog
from runcycles_server.http.auth import Gate
from runcycles_server.http.endpoint import Endpoint, Service
from runcycles_server.http.exchange import ClientGoneError, Exchange
from runcycles_server.http.problems import store_failed, unexpected, unknown_path, wrong_method

logger = logging.getLogger("runcycles.server")


class App:
    """The authority as an ASGI application."""

    def __init__(
        self,
        endpoints: Iterable[Endpoint],
        service: Service,
        gate: Gate,
        access_log: AccessLog | None = None,
    ) -> None:
        self._access_log = access_log
        by_path: dict[str, dict[str, Endpoint]] = {}
        for endpoint in endpoints:
            by_path.setdefault(endpoint.path, {})[endpoint.method] = endpoint
        resources = {path: _Resource(rows, service, gate) for path, rows in by_path.items()}
        self._plain = {path: each for path, each in resources.items() if "{" not in path}
        self._router = Router(
            [Route(path, resource) for path, resource in resources.items()],
            redirect_slashes=False,
            default=_nothing_here,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        exchange = scope["exchange"] = Exchange(scope, receive, send)
        # a path without parameters needs no matching, and reserving has one
        resource = self._plain.get(scope["path"], self._router)
        try:
            await resource(scope, receive, send)
        except CyclesProtocolError as refusal:
            await exchange.refuse(refusal.problem)
        except ClientGoneError:
            exchange.error_code = "CLIENT_GONE"
        except StoreError:
            logger.exception("request %s: the store failed", exchange.request_id)
            await exchange.refuse(store_failed())
        except Exception:  # the last boundary: answer, whatever broke
            logger.exception("request %s failed", exchange.request_id)
            if exchange.status is None:
                await exchange.refuse(unexpected())
        finally:
            if self._access_log is not None:
                self._access_log.write(exchange)


class _Resource:
    """One path: each of its methods is an endpoint."""

    def __init__(self, endpoints: dict[str, Endpoint], service: Service, gate: Gate) -> None:
        self._endpoints = endpoints
        self._service = service
        self._gate = gate
        self._allowed = ", ".join(sorted(endpoints))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        exchange: Exchange = scope["exchange"]
        endpoint = self._endpoints.get(scope["method"])
        if endpoint is None:
            exchange.standing.append((b"allow", self._allowed.encode()))
            raise wrong_method(scope["method"], exchange.path, self._allowed)
        exchange.template = endpoint.path
        await self._gate.admit(exchange, endpoint)
        await exchange.answer(await endpoint.handler(self._service, exchange))


async def _nothing_here(scope: Scope, _receive: Receive, _send: Send) -> None:
    raise unknown_path(scope["path"])

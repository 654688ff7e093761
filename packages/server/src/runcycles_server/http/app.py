"""The application: what every request passes, whatever becomes of it.

Correlate, find the endpoint, let the caller in, handle, answer, log. Starlette routes; the
endpoints behind its routes are bare ASGI callables, because its request and response objects cost
more than the ledger does. Nothing leaves here but the protocol's own answers: an exception that
nobody expected becomes a 500 whose request id finds its traceback in the log.
"""

import logging
from collections.abc import Iterable
from typing import Final

from starlette.routing import Route, Router
from starlette.types import Receive, Scope, Send

from runcycles.errors import CyclesProtocolError, Problem, StoreError, StoreOverloadedError
from runcycles_server.governance.audit.attempts import Attempts
from runcycles_server.http.access_log import AccessLog
from runcycles_server.http.auth import Gate
from runcycles_server.http.endpoint import Endpoint, Plane, Service
from runcycles_server.http.exchange import ClientGoneError, Exchange
from runcycles_server.http.problems import (
    overloaded,
    store_failed,
    unexpected,
    unknown_path,
    wrong_method,
)
from runcycles_server.http.reading import attempt_of

_ABOUT_KEYS: Final = (401, 403)

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
        self._metrics = service.metrics
        self._attempts = Attempts(service.operator.store)
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
            await self._refuse(exchange, refusal.problem)
        except ClientGoneError:
            exchange.error_code = "CLIENT_GONE"
        except StoreOverloadedError:
            await self._refuse(exchange, overloaded().problem)
        except StoreError as problem:
            logger.exception("request %s: the store failed", exchange.request_id)
            await self._refuse(exchange, store_failed(), problem)
        except Exception as problem:  # the last boundary: answer, whatever broke
            logger.exception("request %s failed", exchange.request_id)
            if exchange.status is None:
                await self._refuse(exchange, unexpected(), problem)
        finally:
            if self._access_log is not None:
                self._access_log.write(exchange)
            if self._metrics is not None:
                self._metrics.answered(exchange)
            del scope["exchange"]  # a circle, which would wait for the garbage collector

    async def _refuse(
        self, exchange: Exchange, problem: Problem, exception: Exception | None = None
    ) -> None:
        """Say no; what concerns keys, operators or governing is audited before it is told."""
        is_operators = exchange.is_governed or exchange.caller.is_operator
        if is_operators or problem.status in _ABOUT_KEYS:
            await self._attempts.keep(attempt_of(exchange, problem, exception))
        await exchange.refuse(problem)


class _Resource:
    """One path: each of its methods is an endpoint."""

    def __init__(self, endpoints: dict[str, Endpoint], service: Service, gate: Gate) -> None:
        self._endpoints = endpoints
        self._service = service
        self._gate = gate
        self._allowed = ", ".join(sorted(endpoints))
        self._any = next(iter(endpoints.values()))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        exchange: Exchange = scope["exchange"]
        endpoint = self._endpoints.get(scope["method"], self._any)
        exchange.template = endpoint.path
        exchange.is_governed = endpoint.plane is Plane.GOVERNANCE
        if endpoint.method != scope["method"]:
            exchange.standing.append((b"allow", self._allowed.encode()))
            raise wrong_method(scope["method"], exchange.path, self._allowed)
        await self._gate.admit(exchange, endpoint)
        await exchange.answer(await endpoint.handler(self._service, exchange))


async def _nothing_here(scope: Scope, _receive: Receive, _send: Send) -> None:
    raise unknown_path(scope["path"])

"""Who is asking, and may they: the two kinds of keys, checked the same way for every endpoint.

Keys are 256 random bits, so one SHA-256 is enough to keep them by: nobody guesses the text behind
a digest. Nothing is cached here, so what an operator does to a key or its tenant holds from the
key's next request on.
"""

import hmac
from typing import Final

from runcycles.errors import CyclesProtocolError, ErrorCode
from runcycles.ledger.refusals import tenant_refusal
from runcycles.ledger.state import Tenant, tenant_key
from runcycles_server.governance.keys.rules import digest_of
from runcycles_server.governance.keys.uses import KeyUses
from runcycles_server.governance.keys.validity import KeyProblem, problem_with, sentence_about
from runcycles_server.governance.operator import error_of
from runcycles_server.governance.permissions import Permission, formerly, permits
from runcycles_server.http.endpoint import Access, Endpoint
from runcycles_server.http.exchange import OPERATOR, UNTHROTTLED, Caller, Exchange
from runcycles_server.http.problems import refusal
from runcycles_server.records import ApiKey, api_key_key
from runcycles_server.stores.base import Store

API_KEY: Final = b"x-cycles-api-key"
ADMIN_KEY: Final = b"x-admin-api-key"


class Gate:
    """Lets a request through to its endpoint, or says why not."""

    def __init__(self, store: Store, *, admin_digest: str | None = None) -> None:
        self._store = store
        self._admin_digest = admin_digest
        self.uses = KeyUses(store)

    async def admit(self, exchange: Exchange, endpoint: Endpoint) -> None:
        """Find out who asks, and whether their key is good for this endpoint.

        Raises:
            CyclesProtocolError: 401 for the key, 403 for what it or its tenant may not do.
            StoreError: the key could not be looked up; that is no verdict about it.
        """
        access, headers = endpoint.access, exchange.headers
        if access is Access.PUBLIC:
            return
        if access is Access.ADMIN or (access is Access.EITHER and ADMIN_KEY in headers):
            self._check_operator(headers.get(ADMIN_KEY))
            exchange.caller = OPERATOR
            exchange.standing += UNTHROTTLED
            return
        key, owner = await self._tenant_key(headers.get(API_KEY))
        exchange.caller = Caller(
            tenant=key.tenant_id,
            key_id=key.key_id,
            permissions=key.permissions,
            scope_filter=key.scope_filter or (),
        )
        exchange.standing += ((b"x-cycles-tenant", key.tenant_id.encode()), *UNTHROTTLED)
        if endpoint.permission is not None:
            _check_permission(exchange, endpoint, endpoint.permission, owner)

    def _check_operator(self, given: bytes | None) -> None:
        if not given:
            raise _unauthorized("The X-Admin-API-Key header is missing")
        if self._admin_digest is None:
            raise refusal(ErrorCode.INTERNAL_ERROR, "This server was given no admin key")
        if not hmac.compare_digest(digest_of(given), self._admin_digest):
            raise _unauthorized("The admin key is wrong")

    async def _tenant_key(self, given: bytes | None) -> tuple[ApiKey, Tenant | None]:
        """The key behind a secret that is good at this moment, and its tenant."""
        if not given:
            raise _unauthorized("The X-Cycles-API-Key header is missing")
        key: ApiKey | None = await self._store.get(api_key_key(digest_of(given)))
        if key is None:
            raise _unauthorized(sentence_about(KeyProblem.KEY_NOT_FOUND, key))
        owner: Tenant | None = await self._store.get(tenant_key(key.tenant_id))
        now_ms = self._store.now_ms()
        if problem := problem_with(key, owner, now_ms):
            raise _unauthorized(sentence_about(problem, key))
        self.uses.note(key, now_ms)
        return key, owner


def _check_permission(
    exchange: Exchange, endpoint: Endpoint, wanted: Permission, owner: Tenant | None
) -> None:
    """Refuse what the key may not do, and what a suspended tenant may not change.

    Whether such a tenant may reserve, the ledger says, in the same transaction.
    """
    granted = exchange.caller.permissions
    if not permits(granted, wanted):
        former = formerly(granted, wanted)
        if former is None:
            raise refusal(
                endpoint.plane.forbids_with, f"This API key lacks the permission {wanted}"
            )
        exchange.standing.append((b"x-cycles-permission-deprecated", former.encode()))
    if wanted.writes and (refused := tenant_refusal(owner, starts_something=True)):
        raise error_of(refused)


def _unauthorized(message: str) -> CyclesProtocolError:
    return refusal(ErrorCode.UNAUTHORIZED, message)

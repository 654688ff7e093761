"""Who is asking, and may they: the two kinds of keys, checked the same way for every endpoint.

Keys are 256 random bits, so one SHA-256 is enough to keep them by: nobody guesses the text behind
a digest. Nothing is cached here, so a revoked key fails on its next request.
"""

import hmac
from typing import Final

from runcycles.errors import CyclesProtocolError, ErrorCode
from runcycles.ledger.state import Tenant, tenant_key
from runcycles.types import TenantStatus
from runcycles_server.governance.keys.rules import digest_of
from runcycles_server.governance.permissions import permits
from runcycles_server.http.endpoint import Access, Endpoint
from runcycles_server.http.exchange import Caller, Exchange, Header
from runcycles_server.http.problems import refusal
from runcycles_server.records import ApiKey, api_key_key
from runcycles_server.stores.base import Store

API_KEY: Final = b"x-cycles-api-key"
ADMIN_KEY: Final = b"x-admin-api-key"

_UNTHROTTLED: Final[tuple[Header, ...]] = (
    (b"x-ratelimit-remaining", b"-1"),
    (b"x-ratelimit-reset", b"0"),
)
"""Authenticated calls are not throttled; the protocol's sentinels say so."""


class Gate:
    """Lets a request through to its endpoint, or says why not."""

    def __init__(self, store: Store, *, admin_digest: str | None = None) -> None:
        self._store = store
        self._admin_digest = admin_digest

    async def admit(self, exchange: Exchange, endpoint: Endpoint) -> None:
        """Find out who asks, and whether their key is good for this endpoint.

        Raises:
            CyclesProtocolError: 401 for the key, 403 for a permission it lacks.
            StoreError: the key could not be looked up; that is no verdict about it.
        """
        access, headers = endpoint.access, exchange.headers
        if access is Access.PUBLIC:
            return
        if access is Access.ADMIN or (access is Access.EITHER and ADMIN_KEY in headers):
            self._check_operator(headers.get(ADMIN_KEY))
            exchange.standing += _UNTHROTTLED
            return
        key = await self._tenant_key(headers.get(API_KEY))
        exchange.caller = Caller(tenant=key.tenant_id, key_id=key.key_id)
        exchange.standing += ((b"x-cycles-tenant", key.tenant_id.encode()), *_UNTHROTTLED)
        wanted = endpoint.permission
        if wanted is not None and not permits(key.permissions, wanted):
            raise refusal(
                endpoint.plane.forbids_with, f"This API key lacks the permission {wanted}"
            )

    def _check_operator(self, given: bytes | None) -> None:
        if not given:
            raise _unauthorized("The X-Admin-API-Key header is missing")
        if self._admin_digest is None:
            raise refusal(ErrorCode.INTERNAL_ERROR, "This server was given no admin key")
        if not hmac.compare_digest(digest_of(given), self._admin_digest):
            raise _unauthorized("The admin key is wrong")

    async def _tenant_key(self, given: bytes | None) -> ApiKey:
        if not given:
            raise _unauthorized("The X-Cycles-API-Key header is missing")
        digest = digest_of(given)
        key: ApiKey | None = await self._store.get(api_key_key(digest))
        if key is None or not hmac.compare_digest(key.digest, digest):
            raise _unauthorized("This API key is unknown")
        if key.status != "ACTIVE":
            raise _unauthorized("This API key was revoked")
        if key.expires_at_ms <= self._store.now_ms():
            raise _unauthorized("This API key has expired")
        owner: Tenant | None = await self._store.get(tenant_key(key.tenant_id))
        if owner is not None and owner.status == TenantStatus.CLOSED:
            raise _unauthorized(f"The tenant {key.tenant_id} of this API key is closed")
        return key


def _unauthorized(message: str) -> CyclesProtocolError:
    return refusal(ErrorCode.UNAUTHORIZED, message)

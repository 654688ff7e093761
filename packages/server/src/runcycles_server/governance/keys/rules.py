"""API keys: how a secret looks, how it is kept, and the transitions that make and change one.

A secret is 256 random bits, so its plain SHA-256 cannot be turned back or guessed, and one lookup
by digest finds the record. Nothing about a key can be learned without its whole secret.
"""

import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from runcycles.errors import ErrorCode
from runcycles.ledger.idempotency import DAY_MS
from runcycles.ledger.state import Key, Outcome, Snapshot
from runcycles.ops import Refused
from runcycles.types import TenantStatus
from runcycles_server.governance.keys.bodies import KeyCreate, KeyUpdate
from runcycles_server.governance.keys.validity import status_of
from runcycles_server.governance.moments import epoch_ms, iso
from runcycles_server.governance.permissions import DEFAULT_PERMISSIONS, Permission
from runcycles_server.governance.refusals import closed_tenant, invalid_field, unknown_tenant
from runcycles_server.governance.scopes import fault_of_filter
from runcycles_server.records import ApiKey

KEY_PREFIX: Final = "cyc_live_"
SHOWN_CHARACTERS: Final = 14
"""How much of a secret is kept to tell keys apart: the prefix and five random characters."""
_KNOWN: Final = frozenset(Permission)
LIFETIME_MS: Final = 90 * DAY_MS
"""How long a key lives unless the operator says otherwise."""


def fresh_secret() -> str:
    """A new secret: 256 random bits as 43 URL-safe characters after the prefix."""
    return KEY_PREFIX + secrets.token_urlsafe(32)


def digest_of(secret: str | bytes) -> str:
    """What is kept of a secret."""
    return hashlib.sha256(secret.encode() if isinstance(secret, str) else secret).hexdigest()


def create(
    snapshot: Snapshot, request: KeyCreate, *, key_id: str, secret: str
) -> Outcome[ApiKey | Refused]:
    """A new key of an existing tenant that is not closed."""
    owner = snapshot.tenant(request.tenant_id)
    if owner is None:
        return Outcome(unknown_tenant(request.tenant_id))
    if owner.status == TenantStatus.CLOSED:
        return Outcome(closed_tenant(request.tenant_id))
    if fault := _fault(request):
        return Outcome(fault)
    expires_at_ms = (
        snapshot.now_ms + LIFETIME_MS
        if request.expires_at is None
        else epoch_ms(request.expires_at)
    )
    if expires_at_ms <= snapshot.now_ms:
        return Outcome(invalid_field("expires_at", "it lies in the past"))

    # From here on it succeeds.
    permissions = DEFAULT_PERMISSIONS if request.permissions is None else request.permissions
    key = ApiKey(
        key_id=key_id,
        tenant_id=request.tenant_id,
        digest=digest_of(secret),
        key_prefix=secret[:SHOWN_CHARACTERS],
        name=request.name,
        created_at_ms=snapshot.now_ms,
        expires_at_ms=expires_at_ms,
        description=request.description,
        permissions=_each_once(permissions),
        scope_filter=_filter(request.scope_filter),
        metadata=request.metadata,
    )
    return Outcome(key, (key,))


def update(snapshot: Snapshot, name: Key, request: KeyUpdate) -> Outcome[ApiKey | Refused]:
    """The key with what changes about it, unless it opens nothing any more."""
    key: ApiKey = snapshot.records[name]
    owner = snapshot.tenant(key.tenant_id)
    if owner is not None and owner.status == TenantStatus.CLOSED:
        return Outcome(closed_tenant(key.tenant_id))
    if refusal := _is_over(key, snapshot.now_ms):
        return Outcome(refusal)
    if fault := _fault(request):
        return Outcome(fault)

    # From here on it succeeds.
    said: dict[str, Any] = {
        "name": request.name,
        "description": request.description,
        "permissions": None if request.permissions is None else _each_once(request.permissions),
        "metadata": request.metadata,
    }
    after = replace(key, **{field: value for field, value in said.items() if value is not None})
    if request.scope_filter is not None:
        after = replace(after, scope_filter=_filter(request.scope_filter))
    return Outcome(after, () if after == key else (after,))


def revoke(snapshot: Snapshot, name: Key, reason: str | None) -> Outcome[ApiKey | Refused]:
    """The key, which opens nothing from now on and for good."""
    key: ApiKey = snapshot.records[name]
    owner = snapshot.tenant(key.tenant_id)
    if owner is not None and owner.status == TenantStatus.CLOSED:
        return Outcome(closed_tenant(key.tenant_id))
    if key.status != "ACTIVE":
        return Outcome(_revoked_already(key))

    # From here on it succeeds.
    after = replace(key, status="REVOKED", revoked_at_ms=snapshot.now_ms, revoked_reason=reason)
    return Outcome(after, (after,))


def used(snapshot: Snapshot, moments: Mapping[Key, int]) -> Outcome[None]:
    """The keys as they are by now, last used at these moments; nothing else about them changes."""
    keys = ((snapshot.records[name], moment) for name, moment in moments.items())
    return Outcome(None, tuple(replace(key, last_used_at_ms=moment) for key, moment in keys))


def _fault(request: KeyCreate | KeyUpdate) -> Refused | None:
    """What is wrong with what the key is to open."""
    unknown = [name for name in request.permissions or () if name not in _KNOWN]
    if unknown:
        return invalid_field("permissions", f"there is no permission {unknown[0]!r}")
    for entry in request.scope_filter or ():
        if fault := fault_of_filter(entry):
            return invalid_field("scope_filter", fault)
    return None


def _is_over(key: ApiKey, now_ms: int) -> Refused | None:
    match status_of(key, now_ms):
        case "REVOKED":
            return _revoked_already(key)
        case "EXPIRED":
            return Refused(
                code=ErrorCode.KEY_EXPIRED,
                message=(
                    f"The API key {key.key_id} expired at {iso(key.expires_at_ms)} and cannot "
                    "change; make a new one"
                ),
            )
        case _:
            return None


def _revoked_already(key: ApiKey) -> Refused:
    return Refused(
        code=ErrorCode.KEY_REVOKED,
        message=f"The API key {key.key_id} was revoked already, and that is final; make a new one",
    )


def _each_once(names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(names))


def _filter(entries: tuple[str, ...] | None) -> tuple[str, ...] | None:
    """The entries as scopes are compared, in lower case; without any there is no limit."""
    return _each_once(tuple(entry.lower() for entry in entries)) if entries else None

"""API keys: how a secret looks, how it is kept, and the transition that makes one.

A secret is 256 random bits, so its plain SHA-256 cannot be turned back or guessed, and one lookup
by digest finds the record. Nothing about a key can be learned without its whole secret.
"""

import hashlib
import secrets
from typing import Final

from runcycles.ledger.idempotency import DAY_MS
from runcycles.ledger.state import Outcome, Snapshot
from runcycles.ops import Refused
from runcycles.types import TenantStatus
from runcycles_server.governance.keys.bodies import KeyCreate, KeyCreated
from runcycles_server.governance.moments import epoch_ms, iso
from runcycles_server.governance.permissions import DEFAULT_PERMISSIONS, Permission
from runcycles_server.governance.refusals import closed_tenant, invalid_field, unknown_tenant
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
    permissions = DEFAULT_PERMISSIONS if request.permissions is None else request.permissions
    unknown = [name for name in permissions if name not in _KNOWN]
    if unknown:
        return Outcome(invalid_field("permissions", f"there is no permission {unknown[0]!r}"))
    if request.scope_filter:
        return Outcome(
            invalid_field("scope_filter", "keys limited to scopes are not supported; leave it out")
        )
    expires_at_ms = (
        snapshot.now_ms + LIFETIME_MS
        if request.expires_at is None
        else epoch_ms(request.expires_at)
    )
    if expires_at_ms <= snapshot.now_ms:
        return Outcome(invalid_field("expires_at", "it lies in the past"))

    # From here on it succeeds.
    key = ApiKey(
        key_id=key_id,
        tenant_id=request.tenant_id,
        digest=digest_of(secret),
        key_prefix=secret[:SHOWN_CHARACTERS],
        name=request.name,
        created_at_ms=snapshot.now_ms,
        expires_at_ms=expires_at_ms,
        description=request.description,
        permissions=tuple(dict.fromkeys(permissions)),
        metadata=request.metadata,
    )
    return Outcome(key, (key,))


def created(key: ApiKey, secret: str) -> KeyCreated:
    """The answer that shows the secret, this once."""
    return KeyCreated(
        key_id=key.key_id,
        key_secret=secret,
        key_prefix=key.key_prefix,
        tenant_id=key.tenant_id,
        permissions=key.permissions,
        created_at=iso(key.created_at_ms),
        expires_at=iso(key.expires_at_ms),
    )

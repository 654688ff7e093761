"""API keys as operators read them."""

from runcycles_server.governance.keys.bodies import KeyCreated, KeyView
from runcycles_server.governance.keys.validity import status_of
from runcycles_server.governance.moments import iso, iso_or_none
from runcycles_server.records import ApiKey


def view(key: ApiKey, now_ms: int) -> KeyView:
    """A key as the operator reads it at this moment."""
    return KeyView(
        key_id=key.key_id,
        tenant_id=key.tenant_id,
        key_prefix=key.key_prefix,
        name=key.name,
        description=key.description,
        status=status_of(key, now_ms),
        permissions=key.permissions,
        scope_filter=key.scope_filter,
        created_at=iso(key.created_at_ms),
        last_used_at=iso_or_none(key.last_used_at_ms),
        expires_at=iso(key.expires_at_ms),
        revoked_at=iso_or_none(key.revoked_at_ms),
        revoked_reason=key.revoked_reason,
        metadata=None if key.metadata is None else dict(key.metadata),
    )


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

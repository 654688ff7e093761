"""Whether a key opens its tenant at this moment: asked by the gate, and by whoever validates one.

A key does not change when it expires, nor when its tenant is closed; both are found out here,
each time.
"""

from enum import StrEnum

from runcycles.ledger.state import Tenant
from runcycles.types import TenantStatus
from runcycles_server.governance.keys.bodies import KeyStatus
from runcycles_server.governance.moments import iso
from runcycles_server.records import ApiKey


class KeyProblem(StrEnum):
    """Why a key opens nothing, in the order in which it is found out."""

    KEY_NOT_FOUND = "KEY_NOT_FOUND"
    KEY_REVOKED = "KEY_REVOKED"
    KEY_EXPIRED = "KEY_EXPIRED"
    TENANT_CLOSED = "TENANT_CLOSED"


def status_of(key: ApiKey, now_ms: int) -> KeyStatus:
    """The key's status at this moment."""
    if key.status != "ACTIVE":
        return "REVOKED"
    return "EXPIRED" if key.expires_at_ms <= now_ms else "ACTIVE"


def problem_with(key: ApiKey | None, owner: Tenant | None, now_ms: int) -> KeyProblem | None:
    """Why this key opens nothing now; None where it opens what it is allowed to."""
    if key is None:
        return KeyProblem.KEY_NOT_FOUND
    if key.status != "ACTIVE":
        return KeyProblem.KEY_REVOKED
    if key.expires_at_ms <= now_ms:
        return KeyProblem.KEY_EXPIRED
    if owner is not None and owner.status == TenantStatus.CLOSED:
        return KeyProblem.TENANT_CLOSED
    return None


def sentence_about(problem: KeyProblem, key: ApiKey | None) -> str:
    """What whoever holds the key is told."""
    match problem, key:
        case KeyProblem.KEY_REVOKED, ApiKey(key_id=key_id):
            return f"The API key {key_id} was revoked; ask your operator for a new one"
        case KeyProblem.KEY_EXPIRED, ApiKey(key_id=key_id, expires_at_ms=since):
            return f"The API key {key_id} expired at {iso(since)}; ask your operator for a new one"
        case KeyProblem.TENANT_CLOSED, ApiKey(tenant_id=tenant):
            return f"The tenant {tenant} of this API key is closed; closing is final"
        case _:
            return "This API key is unknown"

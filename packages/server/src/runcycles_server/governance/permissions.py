"""What an API key may do: the protocol's permissions, and which of them imply which."""

from collections.abc import Collection
from enum import StrEnum
from typing import Final


class Permission(StrEnum):
    """Every permission a key can hold. An operator's admin key needs none."""

    RESERVATIONS_CREATE = "reservations:create"
    RESERVATIONS_COMMIT = "reservations:commit"
    RESERVATIONS_RELEASE = "reservations:release"
    RESERVATIONS_EXTEND = "reservations:extend"
    RESERVATIONS_LIST = "reservations:list"
    BALANCES_READ = "balances:read"
    BUDGETS_READ = "budgets:read"
    BUDGETS_WRITE = "budgets:write"
    POLICIES_READ = "policies:read"
    POLICIES_WRITE = "policies:write"
    WEBHOOKS_READ = "webhooks:read"
    WEBHOOKS_WRITE = "webhooks:write"
    EVENTS_READ = "events:read"
    ACTION_QUOTAS_READ = "action_quotas:read"
    ADMIN_READ = "admin:read"
    ADMIN_WRITE = "admin:write"
    ADMIN_TENANTS_READ = "admin:tenants:read"
    ADMIN_TENANTS_WRITE = "admin:tenants:write"
    ADMIN_BUDGETS_READ = "admin:budgets:read"
    ADMIN_BUDGETS_WRITE = "admin:budgets:write"
    ADMIN_POLICIES_READ = "admin:policies:read"
    ADMIN_POLICIES_WRITE = "admin:policies:write"
    ADMIN_APIKEYS_READ = "admin:apikeys:read"
    ADMIN_APIKEYS_WRITE = "admin:apikeys:write"
    ADMIN_WEBHOOKS_READ = "admin:webhooks:read"
    ADMIN_WEBHOOKS_WRITE = "admin:webhooks:write"
    ADMIN_EVENTS_READ = "admin:events:read"
    ADMIN_AUDIT_READ = "admin:audit:read"

    @property
    def writes(self) -> bool:
        """Whether it is for changing what is configured, rather than for reading or spending."""
        return self.endswith(":write")


DEFAULT_PERMISSIONS: Final = (
    Permission.RESERVATIONS_CREATE,
    Permission.RESERVATIONS_COMMIT,
    Permission.RESERVATIONS_RELEASE,
    Permission.RESERVATIONS_EXTEND,
    Permission.RESERVATIONS_LIST,
    Permission.BALANCES_READ,
    Permission.BUDGETS_READ,
    Permission.BUDGETS_WRITE,
    Permission.POLICIES_READ,
    Permission.POLICIES_WRITE,
)
"""What a new key holds unless the operator says otherwise: spend, and look after its budgets."""

_FORMERLY: Final = {Permission.ACTION_QUOTAS_READ: Permission.BALANCES_READ}
"""What was enough before the protocol's 0.1.26 made a permission of its own; it is until 0.1.27."""


def permits(granted: Collection[str], wanted: Permission) -> bool:
    """Whether these permissions cover the wanted one.

    `admin:read` covers every `…:read`, `admin:write` every `…:write`; neither covers the other,
    nor the `reservations:…` ones, which end in neither word.
    """
    if wanted in granted:
        return True
    access = wanted.rpartition(":")[2]
    return access in ("read", "write") and f"admin:{access}" in granted


def formerly(granted: Collection[str], wanted: Permission) -> Permission | None:
    """The permission that stood for the wanted one in earlier versions, if these cover it."""
    former = _FORMERLY.get(wanted)
    return former if former is not None and permits(granted, former) else None

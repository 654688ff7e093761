"""What the holder of a key can see and change, in the words of a dashboard.

The protocol fixes which permissions stand for which capability. A scope filter changes none of
them: it says where, not what.
"""

from collections.abc import Collection
from dataclasses import fields
from typing import Final

from runcycles_server.governance.keys.bodies import Capabilities
from runcycles_server.governance.permissions import Permission, permits

_RESERVING: Final = (
    Permission.RESERVATIONS_CREATE,
    Permission.RESERVATIONS_COMMIT,
    Permission.RESERVATIONS_RELEASE,
    Permission.RESERVATIONS_EXTEND,
)
_GRANTED_BY: Final = {
    "view_budgets": (Permission.BUDGETS_READ, Permission.ADMIN_BUDGETS_READ),
    "view_policies": (Permission.POLICIES_READ, Permission.ADMIN_POLICIES_READ),
    "view_webhooks": (Permission.WEBHOOKS_READ, Permission.ADMIN_WEBHOOKS_READ),
    "view_events": (Permission.EVENTS_READ, Permission.ADMIN_EVENTS_READ),
    "view_reservations": (*_RESERVING, Permission.RESERVATIONS_LIST, Permission.ADMIN_READ),
    "manage_budgets": (Permission.BUDGETS_WRITE, Permission.ADMIN_BUDGETS_WRITE),
    "manage_policies": (Permission.POLICIES_WRITE, Permission.ADMIN_POLICIES_WRITE),
    "manage_webhooks": (Permission.WEBHOOKS_WRITE, Permission.ADMIN_WEBHOOKS_WRITE),
    "manage_reservations": (*_RESERVING, Permission.ADMIN_WRITE),
}
"""The permissions of which one is enough; `admin:read` and `admin:write` cover theirs as ever.

What is not here no tenant's key can do, whatever it holds: tenants, keys and the audit log are
the operator's.
"""

EVERYTHING: Final = Capabilities(**{field.name: True for field in fields(Capabilities)})
"""What the admin key can do."""


def capabilities_of(granted: Collection[str]) -> Capabilities:
    """What a tenant's key with these permissions can do."""
    return Capabilities(
        **{
            name: any(permits(granted, wanted) for wanted in enough)
            for name, enough in _GRANTED_BY.items()
        }
    )

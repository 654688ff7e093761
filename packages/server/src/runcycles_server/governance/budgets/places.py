"""Which budget is meant."""

from dataclasses import dataclass

from runcycles.ledger.state import Key, account_key
from runcycles.types import Unit
from runcycles_server.governance.scopes import canonical_scope, owner_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a budget is: whose, for which scope, in which unit."""

    tenant: str
    scope: str
    unit: Unit

    @property
    def key(self) -> Key:
        """The key of the budget's account."""
        return account_key(self.tenant, self.scope, self.unit)


def place_of(scope: str, unit: Unit) -> Place:
    """The place that a scope and a unit name; a scope starts with its tenant.

    Raises:
        InvalidRequestError: the scope is none.
    """
    canonical = canonical_scope(scope)
    return Place(tenant=owner_of(canonical), scope=canonical, unit=unit)

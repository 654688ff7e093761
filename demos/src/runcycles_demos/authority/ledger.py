"""The ledger as a witness: what the server says of a tenant's budgets and reservations."""

from collections import Counter
from dataclasses import dataclass

from runcycles import CyclesClient, CyclesConfig
from runcycles.types import Amount, Balance
from runcycles_demos.authority.agent import AGENT
from runcycles_demos.authority.terms import ABOVE_AGENT
from runcycles_demos.kit.stack import Authority

_PAGE = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class ScopeBalance:
    """What the ledger says of one scope."""

    scope: str
    unit: str
    allocated: int
    spent: int
    reserved: int


def lineage(tenant: str, *, workflow: str | None = None) -> tuple[str, ...]:
    """Return the scopes from the tenant to the agent."""
    levels = {**ABOVE_AGENT, "agent": AGENT}
    if workflow is not None:
        levels["workflow"] = workflow
    scopes = [f"tenant:{tenant}"]
    for level, name in levels.items():
        scopes.append(f"{scopes[-1]}/{level}:{name}")
    return tuple(scopes)


class LedgerWitness:
    """Reads the ledger with the tenant's own key."""

    def __init__(self, authority: Authority) -> None:
        self._tenant = authority.tenant
        self._client = CyclesClient(
            CyclesConfig(base_url=authority.base_url, api_key=authority.api_key)
        )

    def close(self) -> None:
        """Close its connections."""
        self._client.close()

    def scopes(self) -> tuple[ScopeBalance, ...]:
        """Return every budget of the tenant, the widest scopes first."""
        told = self._client.every_balance(tenant=self._tenant, include_children=True)
        return tuple(sorted(map(_balance, told), key=lambda found: found.scope.count("/")))

    def reservations(self) -> dict[str, int]:
        """Return how many reservations have each status."""
        told = self._client.every_reservation(tenant=self._tenant, limit=_PAGE)
        return dict(Counter(str(reservation.status) for reservation in told))


def _balance(told: Balance) -> ScopeBalance:
    def amount(part: Amount | None) -> int:
        return part.amount if part is not None else 0

    return ScopeBalance(
        scope=told.scope_path,
        unit=told.remaining.unit,
        allocated=amount(told.allocated),
        spent=amount(told.spent),
        reserved=amount(told.reserved),
    )

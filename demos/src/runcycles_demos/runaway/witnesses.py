"""The witnesses: the provider's meter, the ledger, and the server's access log.

Each is read from outside, as anybody could: the bill over HTTP, the ledger with the public client,
the log from the file in which the server's output is kept.
"""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import httpx

from runcycles import CyclesClient, CyclesConfig
from runcycles.types import Balance, ReservationStatus
from runcycles_demos.kit.stack import Authority
from runcycles_demos.kit.trouble import StackError
from runcycles_demos.runaway.facts import Ledger, LoggedRefusal, ScopeBalance, Settled
from runcycles_demos.runaway.terms import LIMIT, SUBJECT

_RESERVATIONS = "/v1/reservations"
_PAGE = 200
_ANSWER_S = 5.0


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

    def tenant(self) -> ScopeBalance:
        """Return the budget of the tenant, which every call counts against."""
        return self.scopes()[0]

    def scopes(self) -> tuple[ScopeBalance, ...]:
        """Return the budgets of all five scopes, the tenant's first."""
        told = self._client.every_balance(tenant=self._tenant, include_children=True)
        return tuple(sorted(map(_balance, told), key=lambda found: found.scope.count("/")))

    def read(self) -> Ledger:
        """Return everything the ledger says of its lane."""
        told = self._client.every_reservation(tenant=self._tenant, limit=_PAGE)
        statuses = Counter(str(reservation.status) for reservation in told)
        return Ledger(scopes=self.scopes(), reservations=dict(statuses))

    def settled(self) -> tuple[Settled, ...]:
        """Return what was held and what was charged for each settled call, the first one first."""
        told = self._client.every_reservation(tenant=self._tenant, limit=_PAGE)
        calls = [
            (one.created_at_ms, one.reservation_id, one.reserved.amount, one.committed.amount)
            for one in told
            if one.status is ReservationStatus.COMMITTED and one.committed is not None
        ]
        return tuple(Settled(estimate=held, actual=paid) for _, _, held, paid in sorted(calls))


def _balance(told: Balance) -> ScopeBalance:
    def amount(part: Any) -> int:
        return int(part.amount) if part is not None else 0

    return ScopeBalance(
        scope=told.scope_path,
        allocated=amount(told.allocated),
        spent=amount(told.spent),
        reserved=amount(told.reserved),
        remaining=told.remaining.amount,
        debt=amount(told.debt),
    )


def lineage(tenant: str) -> tuple[str, ...]:
    """Return the five scopes, the tenant's first."""
    scopes = [f"tenant:{tenant}"]
    for level, name in SUBJECT.items():
        scopes.append(f"{scopes[-1]}/{level}:{name}")
    return tuple(scopes)


def give_budgets(authority: Authority) -> None:
    """Give every scope the limit, through the operator's public API.

    Raises:
        StackError: the server refused, or a scope has another budget already.
    """
    amount = {"unit": "USD_MICROCENTS", "amount": LIMIT}
    with httpx.Client(
        base_url=authority.base_url,
        headers={"X-Admin-API-Key": authority.admin_key},
        timeout=_ANSWER_S,
        trust_env=False,
    ) as operator:
        for scope in lineage(authority.tenant):
            body = {"tenant_id": authority.tenant, "scope": scope, "unit": amount["unit"]}
            answer = operator.post("/v1/admin/budgets", json={**body, "allocated": amount})
            if answer.status_code not in (httpx.codes.CREATED, httpx.codes.CONFLICT):
                raise StackError(f"The server made no budget for {scope}: {answer.text}")


def check_budgets(ledger: LedgerWitness, authority: Authority) -> None:
    """See that a scene starts from an untouched limit at all five scopes.

    Raises:
        StackError: it does not.
    """
    found = [(scope.scope, scope.allocated, scope.remaining) for scope in ledger.scopes()]
    if found != [(scope, LIMIT, LIMIT) for scope in lineage(authority.tenant)]:
        raise StackError(f"The budgets are not what was asked for: {found}")


def ask_again(authority: Authority, question: str) -> tuple[int, str | None]:
    """Send the body of a reservation once more, as it was; return the status and the error code.

    Raises:
        StackError: the server does not answer.
    """
    headers = {"X-Cycles-API-Key": authority.api_key, "Content-Type": "application/json"}
    try:
        answer = httpx.post(
            authority.base_url + _RESERVATIONS,
            content=question,
            headers=headers,
            timeout=_ANSWER_S,
            trust_env=False,
        )
    except httpx.HTTPError as exc:
        raise StackError(f"The Cycles server does not answer: {exc}.") from exc
    return answer.status_code, answer.json().get("error")


def estimate_in(question: str) -> int:
    """Return what the body of a reservation asks for."""
    return int(json.loads(question)["estimate"]["amount"])


def logged_refusals(log: Path) -> tuple[LoggedRefusal, ...]:
    """Return the refused reservations in a server's access log."""
    lines = log.read_text(encoding="utf-8").splitlines() if log.exists() else []
    return tuple(
        LoggedRefusal(
            http=entry["status"], error=entry.get("error", ""), request_id=entry["request_id"]
        )
        for entry in map(_entry, lines)
        if (entry.get("method"), entry.get("path")) == ("POST", _RESERVATIONS)
        and entry.get("status", 0) >= httpx.codes.BAD_REQUEST
    )


def _entry(line: str) -> dict[str, Any]:
    """A line that is still being written is none yet."""
    try:
        entry = json.loads(line)
    except ValueError:
        return {}
    return entry if isinstance(entry, dict) else {}

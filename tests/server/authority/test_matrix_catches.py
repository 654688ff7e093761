"""The matrix put to the test: an authority that forgets one of its checks does not pass it."""

import sys
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from runcycles import scopes
from runcycles.errors import ErrorCode
from runcycles.ledger import rules
from runcycles.ledger.state import Outcome
from runcycles_server.governance.keys.validity import KeyProblem, problem_with
from runcycles_server.http import auth
from runcycles_server.http.auth import Gate
from runcycles_server.http.endpoint import Access, Endpoint, Service
from runcycles_server.http.exchange import Answer, Exchange
from runcycles_server.http.exchange import Caller as Asking
from runcycles_server.http.problems import refusal
from runcycles_server.http.routes import ENDPOINTS
from runcycles_server.records import Setting
from tests.server.authority.asks import ASKS
from tests.server.authority.expectations import Caller
from tests.server.authority.matrix import faults

KNOWN = [row for row in ENDPOINTS if row.operation in ASKS]
"""The rows that the matrix has; another test sees to it that these are all of them."""

FILTERING = [
    module
    for name, module in sorted(sys.modules.items())
    if name.startswith("runcycles") and hasattr(module, "passes_filter") and module is not scopes
]
"""Every module that holds something against the scope filter of a key."""

admitted = Gate.admit


def always(answer: Any) -> Callable[..., Any]:
    return lambda *_given, **_named: answer


def caught(caller: Caller) -> bool:
    """Whether the matrix complains about this caller, and about nobody else."""
    found = faults(KNOWN)
    return bool(found) and all(f"asked with {caller}:" in each for each in found)


@pytest.mark.parametrize(
    ("problem", "caller"),
    [
        (KeyProblem.KEY_REVOKED, Caller.REVOKED),
        (KeyProblem.KEY_EXPIRED, Caller.EXPIRED),
        (KeyProblem.TENANT_CLOSED, Caller.CLOSED),
    ],
)
def test_a_gate_that_overlooks_what_ends_a_key_is_caught(
    monkeypatch: pytest.MonkeyPatch, problem: KeyProblem, caller: Caller
) -> None:
    def lax(*seen: Any) -> KeyProblem | None:
        found = problem_with(*seen)
        return None if found is problem else found

    monkeypatch.setattr(auth, "problem_with", lax)
    assert caught(caller)


def test_a_gate_that_looks_at_no_permission_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(auth, "permits", always(True))
    assert caught(Caller.UNPERMITTED)


def test_a_gate_that_believes_every_admin_key_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hmac.compare_digest", always(True))
    assert caught(Caller.FALSE_OPERATOR)


def test_a_gate_that_lets_a_suspended_tenant_write_is_caught(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(auth, "tenant_refusal", always(None))
    assert caught(Caller.SUSPENDED)


def test_a_ledger_that_lets_a_suspended_tenant_start_is_caught(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(rules, "tenant_refusal", always(None))
    assert caught(Caller.SUSPENDED)


@pytest.mark.parametrize("forgetful", FILTERING, ids=lambda module: module.__name__)
def test_whoever_forgets_the_scope_filter_is_caught(
    monkeypatch: pytest.MonkeyPatch, forgetful: Any
) -> None:
    monkeypatch.setattr(forgetful, "passes_filter", always(True))
    assert caught(Caller.OUTSIDE)


def test_a_gate_that_forgets_whose_key_it_is_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    async def lax(gate: Gate, exchange: Exchange, row: Endpoint) -> None:
        await admitted(gate, exchange, row)
        exchange.caller = Asking()

    monkeypatch.setattr(Gate, "admit", lax)
    assert any(f"asked with {Caller.OTHER_TENANT}:" in each for each in faults(KNOWN))


def test_a_gate_that_stands_open_is_caught_at_every_endpoint(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(auth.Gate, "admit", open_to_all)
    guarded = [row for row in KNOWN if row.access is not Access.PUBLIC]
    assert [row.operation for row in guarded if not faults([row])] == []


async def open_to_all(_gate: Gate, _exchange: Exchange, _row: Endpoint) -> None:
    """Let everybody in."""


async def too_late(service: Service, exchange: Exchange) -> Answer:
    """Change something, and only then look whether that was allowed."""
    late = Setting(name="late", value="yes")
    await service.operator.store.transact((), lambda _: Outcome(None, (late,)))
    raise refusal(ErrorCode.FORBIDDEN, "too late")


def test_who_refuses_too_late_is_caught() -> None:
    (row,) = [row for row in ENDPOINTS if row.operation == "getReservation"]
    assert any("it changed" in each for each in faults([replace(row, handler=too_late)]))


def test_a_new_endpoint_that_the_matrix_does_not_know_is_caught() -> None:
    with pytest.raises(KeyError, match="brandNew"):
        faults([replace(ENDPOINTS[0], operation="brandNew")])

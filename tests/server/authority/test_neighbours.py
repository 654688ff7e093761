"""Two tenants never see nor change one another; and a leak, made on purpose, is noticed."""

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from runcycles.ops import Held
from runcycles_server import reads
from runcycles_server.authority import Authority
from runcycles_server.governance.budgets.places import place_of
from runcycles_server.http.endpoints import budgets
from runcycles_server.stores.sqlite.batch import Asked, BatchRunner
from tests.server.authority.neighbours import Neighbours
from tests.server.authority.watched import WatchedStore

HAMMERING = settings(
    max_examples=settings().max_examples // 3,  # each asks some hundred questions
    stateful_step_count=10,
)
UNTIL_IT_FAILS = settings(
    HAMMERING,
    max_examples=300,  # some ten are enough
    phases=[Phase.generate],  # which need not be short ones
    derandomize=True,
    database=None,
    report_multiple_bugs=False,
    suppress_health_check=list(HealthCheck),
)


def test_two_tenants_at_once_neither_see_nor_change_one_another() -> None:
    run_state_machine_as_test(Neighbours, settings=HAMMERING)


def assert_noticed() -> None:
    with pytest.raises(AssertionError):
        run_state_machine_as_test(Neighbours, settings=UNTIL_IT_FAILS)


def test_a_key_that_settles_for_everybody_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    ask = Authority.ask

    async def as_operator(self: Authority, op: Any, *, tenant: str | None, **asked: Any) -> Any:
        return await ask(self, op, tenant=None if isinstance(op, Held) else tenant, **asked)

    monkeypatch.setattr(Authority, "ask", as_operator)
    assert_noticed()


def test_a_budget_that_everybody_reaches_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        budgets, "_place", lambda _exchange, query: place_of(query.scope, query.unit)
    )
    assert_noticed()


def test_a_list_of_whoever_is_named_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reads, "_owner", lambda op, tenant: op.tenant or tenant)
    assert_noticed()


def test_a_store_that_lists_the_rows_of_all_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    async def accounts(self: WatchedStore, _tenant: str | None, *segments: Any) -> Any:
        return await self.store.accounts(None, *segments)

    monkeypatch.setattr(WatchedStore, "accounts", accounts, raising=False)
    assert_noticed()


def test_a_batch_that_mixes_its_answers_up_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    run = BatchRunner.run

    def swapped(self: BatchRunner, batch: Sequence[Asked]) -> None:
        run(self, batch)
        if len(batch) > 1:
            batch[0].reply, batch[-1].reply = batch[-1].reply, batch[0].reply

    monkeypatch.setattr(BatchRunner, "run", swapped)
    assert_noticed()

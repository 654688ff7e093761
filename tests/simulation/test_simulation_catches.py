"""The proof that the simulation would notice: with one thing broken, some early world fails."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from runcycles import flows
from runcycles.errors import CyclesTransportError
from runcycles.flows import Flow
from runcycles.ids import new_id
from runcycles.ledger import apply, rules
from runcycles.ledger.counting import Considered
from runcycles.ledger.memory import DictStore
from runcycles.ledger.policies import Stops
from runcycles.ledger.state import Account, Remembered, Reservation
from runcycles.ops import Commit, Record
from runcycles_server.stores.clock import MonotonicClock
from runcycles_server.stores.sqlite import store as store_of_files
from runcycles_server.stores.sqlite.batch import Asked, BatchRunner
from runcycles_server.sweeper import Sweeper
from tests.core.ledger import test_action_audit as action_breaks
from tests.core.ledger import test_audit as breaks
from tests.simulation.line import Line
from tests.simulation.report import Tally
from tests.simulation.world import simulate

ENOUGH = 20
STEPS = 400


def what_was_held_is_given_back_twice(snapshot: Any, reservation: Reservation) -> Any:
    accounts = snapshot.accounts(reservation.account_keys)
    twice = 2 * reservation.estimate.amount
    return tuple(each.moved(reserved=-min(twice, each.reserved)) for each in accounts)


def grace_is_cut_short(reservation: Reservation) -> int:
    return reservation.expires_at_ms + reservation.grace_ms // 2


async def nothing_ever_expires(sweeper: Sweeper) -> int:
    return 0


def the_clock_of_the_wall_counts(store: DictStore) -> int:
    return store._clock_ms()  # noqa: SLF001 - to break it


def some_replies_are_forgotten(store: DictStore, record: Any) -> None:
    if not (isinstance(record, Remembered) and hash(record.idempotency_key) % 10 == 0):
        real_keep(store, record)


def some_balances_are_forgotten(store: DictStore, record: Any) -> None:
    if not (isinstance(record, Account) and record.spent % 10 == 3):
        real_keep(store, record)


def every_attempt_has_its_own_key(op: Any, retries: Any) -> Flow[Any]:
    flow = real_persist(op, retries)
    step = next(flow)
    while True:
        if isinstance(step, Commit | Record):
            step = replace(step, idempotency_key=new_id())
        try:
            answer = yield step
        except Exception as problem:  # noqa: BLE001 - it is the flow's to judge
            try:
                step = flow.throw(problem)
            except StopIteration as end:
                return end.value
        else:
            try:
                step = flow.send(answer)
            except StopIteration as end:
                return end.value


def late_spend_is_not_recorded(op: Commit, reserved: Any, retries: Any) -> Flow[Any]:
    return flows.persist(replace(op, actual=replace(op.actual, amount=0)), retries)


async def a_yes_is_made_up(line: Line, op: Any) -> Any:
    """A client that takes a lost answer to a commit for a yes."""
    try:
        return await real_send(line, op)
    except CyclesTransportError:
        if isinstance(op, Commit):
            return None
        raise


real_keep, real_persist, real_send = DictStore.keep, flows.persist, Line.send

BREAKS: list[tuple[Any, str, Callable[..., Any] | property]] = [
    (apply, "replay", breaks.nothing_is_remembered),
    (apply, "replay", breaks.a_key_answers_any_request),
    (rules, "budget_refusal", breaks.more_is_held_than_there_is),
    (rules, "after", breaks.what_was_settled_is_settled_again),
    (rules, "charge", breaks.only_the_root_is_charged),
    (rules, "expire", breaks.an_expired_hold_stays),
    (Reservation, "settles_until_ms", property(breaks.grace_never_ends)),
    (Reservation, "settles_until_ms", property(grace_is_cut_short)),
    (rules, "given_back", action_breaks.nothing_is_given_back),
    (Considered, "one_more", action_breaks.nothing_is_counted),
    (Stops, "covering", action_breaks.a_stop_stops_nobody),
    (rules, "_freed", what_was_held_is_given_back_twice),
    (Sweeper, "_expire", nothing_ever_expires),
    (DictStore, "now_ms", the_clock_of_the_wall_counts),
    (DictStore, "keep", some_replies_are_forgotten),
    (DictStore, "keep", some_balances_are_forgotten),
    (flows, "persist", every_attempt_has_its_own_key),
    ("runcycles.guard", "commit_or_record", late_spend_is_not_recorded),
    (Line, "send", a_yes_is_made_up),
]


def some_balances_stay_in_the_cache(runner: BatchRunner, dirty: Any, now_ms: int) -> None:
    written = {k: v for k, v in dirty.items() if k[0] != "account" or v.spent % 10 != 3}
    real_write(runner, written, now_ms)


def a_failed_commit_is_answered_all_the_same(runner: BatchRunner, batch: Sequence[Asked]) -> None:
    real_run(runner, batch)
    for asked in batch:
        if asked.reply is not None:
            asked.error = None


def replies_stay_in_memory(runner: BatchRunner, dirty: Any, now_ms: int) -> None:
    real_write(runner, {k: v for k, v in dirty.items() if k[0] != "reply"}, now_ms)


def the_clock_starts_anew(clock_ms: Callable[[], int], *, at_least_ms: int) -> MonotonicClock:
    return MonotonicClock(clock_ms)


real_write, real_run = BatchRunner._write, BatchRunner.run  # noqa: SLF001 - to break them

FILE_BREAKS: list[tuple[Any, str, Callable[..., Any]]] = [
    (BatchRunner, "_write", some_balances_stay_in_the_cache),
    (BatchRunner, "_write", replies_stay_in_memory),
    (BatchRunner, "run", a_failed_commit_is_answered_all_the_same),
    (store_of_files, "MonotonicClock", the_clock_starts_anew),
]


def found_within(worlds: int, store: str = "memory") -> int:
    """The seed of the first world in which something is wrong."""
    for seed in range(worlds):
        if simulate(seed, STEPS, store).violations:
            return seed
    return worlds


@pytest.mark.parametrize(
    ("place", "name", "broken"), BREAKS, ids=[breaks.name_of(each) for *_, each in BREAKS]
)
def test_what_is_broken_is_found(
    place: Any, name: str, broken: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    if isinstance(place, str):
        monkeypatch.setattr(f"{place}.{name}", broken)
    else:
        monkeypatch.setattr(place, name, broken)
    assert found_within(ENOUGH) < ENOUGH


@pytest.mark.parametrize(
    ("place", "name", "broken"), FILE_BREAKS, ids=[each.__name__ for *_, each in FILE_BREAKS]
)
def test_what_is_broken_about_a_file_is_found(
    place: Any, name: str, broken: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(place, name, broken)
    assert found_within(ENOUGH, "sqlite") < ENOUGH


def test_a_world_that_failed_says_how_to_see_it_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(apply, "replay", breaks.nothing_is_remembered)
    seed = found_within(ENOUGH)
    first, again = simulate(seed, STEPS), simulate(seed, STEPS)
    assert first.violations == again.violations != []
    tally = Tally()
    tally.add(first)
    command = f"python -m tests.simulation --seed {seed} --steps {STEPS} --store memory"
    assert command in tally.text()

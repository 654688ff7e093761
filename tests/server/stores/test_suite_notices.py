"""The suite is worth what it notices: each store here breaks one promise, and is found out."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any, TypeVar

import pytest
from anyio.lowlevel import checkpoint

from runcycles.ledger.memory import DictStore
from runcycles.ledger.policies import Counter
from runcycles.ledger.state import Account, Key, Outcome, Reservation, Snapshot, Transition
from runcycles.ops import Refused
from runcycles.types import Unit
from runcycles_server.records import AuditEntry, DecisionRecord
from runcycles_server.stores.memory import MemoryStore
from runcycles_server.stores.queries import AuditQuery, CounterQuery, ReservationQuery, place
from runcycles_server.stores.suite import (
    CHECKS,
    Bench,
    Check,
    Clock,
    decisions,
    keeping,
    lists,
    operator_lists,
)

T = TypeVar("T")


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class LosesUpdates(MemoryStore):
    """Looks, lets others in, then writes what it made of what it saw."""

    async def transact(self, footprint: tuple[Key, ...], transition: Transition[T]) -> T:
        seen = {key: await self.get(key) for key in footprint}
        await checkpoint()
        answer = transition(Snapshot(self.now_ms(), seen))
        if not isinstance(answer, Outcome):
            return await super().transact(footprint, transition)
        kept = replace(answer)
        return await super().transact((), lambda _snapshot: kept)


class KeepsHalf(MemoryStore):
    """Stops in the middle of writing an outcome."""

    async def transact(self, footprint: tuple[Key, ...], transition: Transition[T]) -> T:
        def half(snapshot: Snapshot) -> Any:
            answer = transition(snapshot)
            if isinstance(answer, Outcome) and len(answer.changes) == 2:
                return Outcome(answer.reply, answer.changes[:1])
            return answer

        return await super().transact(footprint, half)


class DropsWhatIsRefused(MemoryStore):
    """Believes that a refusal has nothing to keep."""

    async def transact(self, footprint: tuple[Key, ...], transition: Transition[T]) -> T:
        def without(snapshot: Snapshot) -> Any:
            answer = transition(snapshot)
            refused = isinstance(answer, Outcome) and isinstance(answer.reply, Refused)
            return Outcome(answer.reply) if refused else answer  # type: ignore[union-attr]  # it is

        return await super().transact(footprint, without)


class SharesBlame(MemoryStore):
    """Fails the neighbour of whoever raised."""

    problem: Exception | None = None

    async def transact(self, footprint: tuple[Key, ...], transition: Transition[T]) -> T:
        blamed, self.problem = self.problem, None
        if blamed is not None:
            raise blamed
        try:
            return await super().transact(footprint, transition)
        except Exception as problem:
            self.problem = problem
            raise


class DecidesTwice(MemoryStore):
    """Keeps the outcomes of both calls of a transition."""

    async def transact(self, footprint: tuple[Key, ...], transition: Transition[T]) -> T:
        await super().transact(footprint, transition)
        return await super().transact(footprint, transition)


class ForgetsCounters(MemoryStore):
    """Keeps nothing that is counted."""

    async def transact(self, footprint: tuple[Key, ...], transition: Transition[T]) -> T:
        reply = await super().transact(footprint, transition)
        for key in [key for key in self._dict.records if key[0] == "counter"]:
            del self._dict.records[key]
        return reply


class ForgetsKeys(MemoryStore):
    """Keeps no replies."""

    async def transact(self, footprint: tuple[Key, ...], transition: Transition[T]) -> T:
        reply = await super().transact(footprint, transition)
        for key in [key for key in self._dict.records if key[0] == "reply"]:
            del self._dict.records[key]
        return reply


class RewritesHistory(MemoryStore):
    """Replaces audit entries like anything else."""

    def __init__(self, clock_ms: Callable[[], int]) -> None:
        super().__init__(clock_ms)
        self._dict = DictStore(clock_ms)


class CountsWhatIsOver(MemoryStore):
    """Lists counters up to and with the moment at which they expire."""

    async def counters(self, query: CounterQuery) -> list[Counter]:
        now_ms = self.now_ms() - 1
        found = [row for row in self._dict.of_kind(Counter) if query.matches(row, now_ms)]
        return sorted(found, key=place)[: query.limit]


class TakesScopesForText(MemoryStore):
    """Believes that `agent:ab` lies below `agent:a`."""

    async def counters(self, query: CounterQuery) -> list[Counter]:
        found = await super().counters(replace(query, scope=None))
        return [row for row in found if row.scope.startswith(query.scope or "")]


class MissesWhatIsNotSaid(MemoryStore):
    """Drops entries without an error when others are not wanted, as SQL's NOT IN does."""

    async def audit(self, query: AuditQuery) -> list[AuditEntry]:
        found = await super().audit(query)
        return [row for row in found if row.error_code or not query.except_error_codes]


class TellsOfOthers(MemoryStore):
    """Explains to one tenant what was decided for another one."""

    async def decisions(
        self, wanted: str, *, tenant: str | None = None, limit: int = 20
    ) -> list[DecisionRecord]:
        return await super().decisions(wanted, limit=limit)


class KeepsForEver(MemoryStore):
    """Never forgets an audit entry."""

    def _over(self) -> Iterator[Key]:
        return (key for key in super()._over() if key[0] != "audit")


class TurnsBackTime(MemoryStore):
    """Believes the machine's clock."""

    def __init__(self, clock_ms: Callable[[], int]) -> None:
        super().__init__(clock_ms)
        self._believed = clock_ms

    def now_ms(self) -> int:
        return self._believed()


class NeverCloses(MemoryStore):
    async def close(self) -> None:
        """Go on as if nothing had been said."""


class ForgetsWhatRuns(MemoryStore):
    """Purges by creation rather than by end."""

    async def purge(self, limit: int) -> int:
        forgotten = await super().purge(limit)
        running = [row.key for row in self._dict.of_kind(Reservation)]
        for key in running[: limit - forgotten]:
            del self._dict.records[key]
        return forgotten


class FindsTooEarly(MemoryStore):
    """Takes the last moment of the grace for the first one after it."""

    async def due(self, limit: int) -> list[str]:
        later = MemoryStore(lambda: self.now_ms() + 1)
        later._dict.records = self._dict.records  # noqa: SLF001 - a broken store may
        return await later.due(limit)


class SortsByOneColumn(MemoryStore):
    """Breaks ties as they come."""

    async def reservations(self, query: ReservationQuery) -> list[Reservation]:
        return list(reversed(await super().reservations(query)))


class MatchesPartsOfWords(MemoryStore):
    async def accounts(
        self, tenant: str | None, segments: Mapping[str, str] | None = None
    ) -> list[Account]:
        found = await super().accounts(tenant)
        return [a for a in found if all(value in a.scope for value in (segments or {}).values())]


class CountsHoldsTwice(MemoryStore):
    async def held(self) -> dict[Unit, int]:
        found: dict[Unit, int] = {}
        for account in await self.accounts(None):
            found[account.unit] = found.get(account.unit, 0) + account.reserved
        return found


class RoundsNumbers(MemoryStore):
    """Keeps amounts as floats, like many a database client."""

    async def get(self, key: Key) -> Any:
        found = await super().get(key)
        if isinstance(found, Account):
            return replace(found, allocated=min(int(float(found.allocated)), 2**63 - 1024))
        return found


BROKEN: list[tuple[type[MemoryStore], Check]] = [
    (LosesUpdates, decisions.n_parallel_reserves_never_oversell),
    (LosesUpdates, decisions.decisions_made_together_see_each_other),
    (ForgetsCounters, decisions.n_parallel_reserves_never_pass_a_quota),
    (LosesUpdates, decisions.one_key_has_one_effect_however_often_it_is_asked),
    (LosesUpdates, decisions.nobody_sees_a_change_half_done),
    (KeepsHalf, decisions.nobody_sees_a_change_half_done),
    (DropsWhatIsRefused, decisions.a_refusal_may_keep_a_note_of_itself),
    (SharesBlame, decisions.a_transition_that_raises_fails_alone),
    (DecidesTwice, decisions.decisions_made_together_see_each_other),
    (ForgetsKeys, decisions.one_key_has_one_effect_however_often_it_is_asked),
    (ForgetsKeys, decisions.one_key_for_two_requests_is_a_conflict),
    (RewritesHistory, keeping.an_audit_entry_never_changes),
    (TurnsBackTime, decisions.time_never_goes_back),
    (NeverCloses, keeping.a_closed_store_refuses),
    (ForgetsWhatRuns, keeping.what_was_kept_long_enough_is_forgotten),
    (FindsTooEarly, keeping.overdue_reservations_are_found_longest_first),
    (KeepsForEver, keeping.what_authority_left_behind_is_kept_for_its_time),
    (KeepsForEver, keeping.a_purge_forgets_no_more_than_it_is_told),
    (CountsWhatIsOver, operator_lists.live_counters_come_by_their_place),
    (TakesScopesForText, operator_lists.every_filter_of_counters_chooses_what_it_says),
    (MissesWhatIsNotSaid, operator_lists.every_filter_of_the_audit_log_chooses_what_it_says),
    (TellsOfOthers, operator_lists.decisions_are_found_by_every_id_they_concern),
    (RoundsNumbers, keeping.every_record_comes_back_as_it_was),
    (SortsByOneColumn, lists.every_order_is_kept_page_by_page),
    (MatchesPartsOfWords, lists.segments_are_whole),
    (CountsHoldsTwice, lists.what_is_held_counts_once),
]


@pytest.mark.parametrize(("store", "check"), BROKEN, ids=lambda part: part.__name__)
async def test_a_broken_promise_is_noticed(store: type[MemoryStore], check: Check) -> None:
    bench = await bench_over(store)
    with pytest.raises(AssertionError):
        await check(bench)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
async def test_a_store_that_forgets_after_a_restart_is_noticed_where_it_matters(
    check: Check,
) -> None:
    """Reopening gives an empty store: exactly the checks about restarts must fail."""
    bench = await bench_over(MemoryStore)

    async def emptied() -> MemoryStore:
        fresh = MemoryStore(bench.clock.now_ms)
        await fresh.start()
        return fresh

    bench.reopen = emptied
    about_restarts = {
        keeping.a_restart_forgets_nothing,
        keeping.a_restart_does_not_turn_back_time,
        keeping.closing_finishes_what_waits,
    }
    if check in about_restarts:
        with pytest.raises(AssertionError):
            await check(bench)
    else:
        await check(bench)


async def bench_over(store_type: type[MemoryStore]) -> Bench:
    clock = Clock()
    store = store_type(clock.now_ms)
    await store.start()
    return Bench(store, clock)

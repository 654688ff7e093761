"""Atomicity: what happens when many ask at once, or when one of them fails."""

from dataclasses import replace
from typing import Final, NoReturn

from runcycles.errors import (
    ActionDeniedError,
    BudgetExceededError,
    ErrorCode,
    IdempotencyMismatchError,
    ReservationFinalizedError,
)
from runcycles.ledger.idempotency import Answered, Replayed
from runcycles.ledger.policies import Counter, Policy, PolicyBook, Quota, counter_key
from runcycles.ledger.state import (
    Need,
    Outcome,
    Snapshot,
    Tenant,
    account_key,
    tenant_key,
)
from runcycles.ledger.windows import bucket_of
from runcycles.ops import Refused
from runcycles.types import QuotaWindow, Unit
from runcycles_server.stores.suite.bench import (
    ACCOUNT,
    ACTION,
    SCOPE,
    TENANT,
    Bench,
    Check,
    added,
    an_account,
    together,
)

CROWD: Final = 40
BUDGET: Final = 100
HOLD: Final = 10


async def n_parallel_reserves_never_oversell(bench: Bench) -> None:
    """Of forty who ask for a tenth of the budget, ten get it."""
    await bench.open_budget(BUDGET)
    answers = await together(*(bench.reserve(HOLD) for _ in range(CROWD)))
    refused = [answer for answer in answers if isinstance(answer, BudgetExceededError)]
    assert len(refused) == CROWD - BUDGET // HOLD, answers
    assert (await bench.budget()).reserved == BUDGET


async def n_parallel_reserves_never_pass_a_quota(bench: Bench) -> None:
    """Of forty who ask where ten may, ten get it; the counter says so too."""
    await bench.open_budget(1_000)
    quota = Quota(max_calls=HOLD, window=QuotaWindow.PER_DAY, action_kind=ACTION.kind)
    policy = Policy(
        policy_id="pol-1", name="ten", scope_pattern=SCOPE, created_at_ms=0, quotas=(quota,)
    )
    await bench.keep(PolicyBook(tenant=TENANT, policies=(policy,)))
    answers = await together(*(bench.reserve(1) for _ in range(CROWD)))
    refused = [answer for answer in answers if isinstance(answer, ActionDeniedError)]
    assert len(refused) == CROWD - HOLD, answers
    bucket = bucket_of(quota.window, bench.clock.ms)
    counter = await bench.store.get(counter_key(TENANT, SCOPE, ACTION.kind, quota.window, bucket))
    assert isinstance(counter, Counter), counter
    assert counter.used == (await bench.budget()).reserved == HOLD


async def one_key_has_one_effect_however_often_it_is_asked(bench: Bench) -> None:
    """The same request forty times is one hold, and everybody gets the same answer."""
    await bench.open_budget(BUDGET)
    answers = await together(*(bench.reserve(HOLD, key="once") for _ in range(CROWD)))
    bodies = {answer.raw for answer in answers if isinstance(answer, Answered | Replayed)}
    assert len(bodies) == 1, answers
    assert (await bench.budget()).reserved == HOLD


async def one_key_for_two_requests_is_a_conflict(bench: Bench) -> None:
    """Whoever comes second with another request under the same key is told so."""
    await bench.open_budget(BUDGET)
    one, other = await together(bench.reserve(HOLD, key="k"), bench.reserve(20, key="k"))
    assert isinstance(one, Answered), one
    assert isinstance(other, IdempotencyMismatchError), other
    assert (await bench.budget()).reserved == HOLD


async def of_commit_and_release_one_wins(bench: Bench) -> None:
    """Two ways to settle at once: one is done, the other finds it done."""
    await bench.open_budget(1_000)
    for _ in range(10):
        held = await bench.hold(10)
        answers = await together(bench.commit(held, 10), bench.release(held))
        kinds = sorted(type(answer).__name__ for answer in answers)
        assert kinds == [Answered.__name__, ReservationFinalizedError.__name__], answers
    after = await bench.budget()
    assert after.reserved == 0
    assert after.spent in range(0, 101, 10)


async def a_transition_that_raises_fails_alone(bench: Bench) -> None:
    """Its neighbours are decided and kept, and its exception reaches its caller as it was."""
    await bench.open_budget(1_000)

    def broken(_snapshot: Snapshot) -> NoReturn:
        raise LookupError("a bug of this transition alone")

    asked = (added(1) if number % 4 else broken for number in range(CROWD))
    answers = await together(*(bench.store.transact((ACCOUNT,), each) for each in asked))
    broke = [answer for answer in answers if isinstance(answer, BaseException)]
    assert len(broke) == CROWD // 4
    assert all(isinstance(problem, LookupError) for problem in broke), broke
    assert (await bench.budget()).spent == CROWD - len(broke)


async def decisions_made_together_see_each_other(bench: Bench) -> None:
    """Forty additions at once add up, and each answer is one that was true in between."""
    await bench.open_budget(1_000)
    answers = await together(*(bench.store.transact((ACCOUNT,), added(1)) for _ in range(CROWD)))
    assert sorted(map(str, answers)) == sorted(map(str, range(1, CROWD + 1)))
    assert (await bench.budget()).spent == CROWD


async def nobody_sees_a_change_half_done(bench: Bench) -> None:
    """What leaves one account is in the other, for everybody who looks, at every moment."""
    here, there = an_account(spent=100, allocated=200), an_account(scope=f"{SCOPE}/agent:b")
    there = replace(there, allocated=200)
    await bench.keep(here, there)
    footprint = (here.key, there.key)

    def moves(snapshot: Snapshot) -> Outcome[int]:
        left, right = snapshot.accounts(footprint)
        return Outcome(100, (left.moved(spent=-1), right.moved(spent=1)))

    def looks(snapshot: Snapshot) -> Outcome[int]:
        return Outcome(sum(account.spent for account in snapshot.accounts(footprint)))

    asked = (moves if number % 2 else looks for number in range(CROWD))
    answers = await together(*(bench.store.transact(footprint, each) for each in asked))
    assert answers == [100] * CROWD
    assert (await bench.store.get(here.key)).spent == 100 - CROWD // 2
    assert (await bench.store.get(there.key)).spent == CROWD // 2


async def what_is_looked_up_and_absent_is_none(bench: Bench) -> None:
    """A footprint is looked up whole; a key without a record is there, as None."""
    absent = (tenant_key("nobody"), account_key("nobody", "tenant:nobody", Unit.CREDITS))
    found = await bench.store.transact(
        absent, lambda snapshot: Outcome([snapshot.records[key] for key in absent])
    )
    assert found == [None, None]


async def what_is_needed_is_loaded_and_asked_again(bench: Bench) -> None:
    """A transition learns what it needs as it goes, and decides on one snapshot all the same."""
    await bench.open_budget(BUDGET)
    times: list[int] = []

    def curious(snapshot: Snapshot) -> Outcome[int] | Need:
        times.append(snapshot.now_ms)
        for key in (tenant_key(TENANT), ACCOUNT):
            if missing := snapshot.missing((key,)):
                return Need(missing)
        account = snapshot.account(ACCOUNT)
        assert account is not None
        return Outcome(account.allocated)

    assert await bench.store.transact((), curious) == BUDGET
    assert len(set(times)) == 1


async def who_needs_for_ever_is_stopped(bench: Bench) -> None:
    """A transition that never has enough is a bug, and its neighbours do not wait for it."""
    await bench.open_budget(BUDGET)
    (endless, answer) = await together(
        bench.store.transact((), lambda _snapshot: Need((ACCOUNT,))),
        bench.store.transact((ACCOUNT,), added(1)),
    )
    assert isinstance(endless, AssertionError), endless
    assert answer == 1


async def a_refusal_changes_nothing(bench: Bench) -> None:
    """The key of a refused request is free, and the budget as it was."""
    await bench.open_budget(10)
    (refused,) = await together(bench.reserve(11, key="again"))
    assert isinstance(refused, BudgetExceededError), refused
    assert await bench.budget() == an_account(allocated=10)
    assert isinstance(await bench.reserve(10, key="again"), Answered)


async def a_refusal_may_keep_a_note_of_itself(bench: Bench) -> None:
    """What its outcome wants changed is kept like that of any other."""
    note = Tenant(tenant_id="noted")
    refused = Refused(code=ErrorCode.BUDGET_EXCEEDED, message="nothing is left")
    answer = await bench.store.transact((), lambda _snapshot: Outcome(refused, (note,)))
    assert answer == refused
    assert await bench.store.get(note.key) == note


async def time_never_goes_back(bench: Bench) -> None:
    """Where the machine's clock jumps back, the store's stands still."""

    def clock(snapshot: Snapshot) -> Outcome[int]:
        return Outcome(snapshot.now_ms)

    before = await bench.store.transact((), clock)
    bench.clock.ms -= 60_000
    assert await bench.store.transact((), clock) == before
    assert bench.store.now_ms() == before
    bench.clock.ms += 60_001
    assert await bench.store.transact((), clock) == before + 1


async def a_plain_question_is_a_plain_answer(bench: Bench) -> None:
    """The simplest case, from reserve to commit, so that a report of failures begins with it."""
    await bench.open_budget(BUDGET)
    await bench.commit(await bench.hold(10), 4)
    after = await bench.budget()
    assert (after.reserved, after.spent, after.remaining) == (0, 4, 96)


CHECKS: Final[tuple[Check, ...]] = (
    a_plain_question_is_a_plain_answer,
    n_parallel_reserves_never_oversell,
    n_parallel_reserves_never_pass_a_quota,
    one_key_has_one_effect_however_often_it_is_asked,
    one_key_for_two_requests_is_a_conflict,
    of_commit_and_release_one_wins,
    a_transition_that_raises_fails_alone,
    decisions_made_together_see_each_other,
    nobody_sees_a_change_half_done,
    what_is_looked_up_and_absent_is_none,
    what_is_needed_is_loaded_and_asked_again,
    who_needs_for_ever_is_stopped,
    a_refusal_changes_nothing,
    a_refusal_may_keep_a_note_of_itself,
    time_never_goes_back,
)

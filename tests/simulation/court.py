"""Every decision of the real authority goes before the oracle, in the order in which it was kept.

A store hands its transitions here. What one says is noted at the moment it is decided, and judged
once the store has kept it; what a crash or an error took away is forgotten.
"""

from collections.abc import Callable
from contextvars import ContextVar
from typing import Any, TypeVar

from runcycles.ledger.policies import Counter
from runcycles.ledger.state import Account, Need, Outcome, Reservation, Snapshot, Transition
from runcycles.ops import Commit, Decide, Extend, Record, Release, Reserve
from runcycles.types import ReservationStatus
from tests.core.ledger.audit import Question, as_the_model_says_it, ask_the_model, numbers
from tests.core.ledger.naive_words import Body, Refusal
from tests.simulation.oracle import Oracle

T = TypeVar("T")
Judge = Callable[[Oracle, Outcome[Any]], None]
JUDGE: ContextVar[Judge | None] = ContextVar("judge", default=None)
"""Who judges what is decided for the running task; without one, the sweeper is."""

NAMES = {
    Reserve: "reserve",
    Decide: "decide",
    Record: "event",
    Commit: "commit",
    Release: "release",
    Extend: "extend",
}


class Court:
    def __init__(self, oracle: Oracle, operations: dict[str, int], answers: dict[str, int]) -> None:
        self.oracle = oracle
        self.operations = operations
        self.answers = answers
        self.violations: list[str] = []
        self._noted: dict[object, tuple[Judge, Outcome[Any], int]] = {}

    @property
    def judged(self) -> int:
        return sum(self.operations.values())

    def watch(self, transition: Transition[T]) -> Transition[T]:
        """The transition, noted whenever it comes to an outcome; the last one counts."""
        judge, case = JUDGE.get() or swept, object()

        def watched(snapshot: Snapshot) -> Outcome[T] | Need:
            outcome = transition(snapshot)
            if isinstance(outcome, Outcome):
                self._noted.pop(case, None)
                self._noted[case] = (judge, outcome, snapshot.now_ms)
            return outcome

        return watched

    def dropped(self) -> None:
        """Nothing of what was noted was kept."""
        self._noted.clear()

    def kept(self) -> None:
        """The store has kept what was noted, and may answer."""
        noted, self._noted = self._noted, {}
        for judge, outcome, now_ms in noted.values():
            with self.hearing():
                self.oracle.at(now_ms)
                judge(self.oracle, outcome)
                if outcome.changes:
                    self.oracle.kept_at = now_ms
                self._check(outcome)

    def count(self, what: str) -> None:
        self.operations[what] = self.operations.get(what, 0) + 1

    def hearing(self) -> "Hearing":
        """What is asserted in here is a violation, and does not disturb whoever caused it."""
        return Hearing(self)

    def question(self, op: Question, body: Body, caller: str) -> Judge:
        """Judges the answer to a question: the oracle has to say the same, key by key."""

        def judge(oracle: Oracle, outcome: Outcome[Any]) -> None:
            self.count(NAMES[type(op)])
            found = as_the_model_says_it(outcome.reply)
            said = {} if isinstance(found, Refusal) else found
            self._note(found)
            new_id = said.get("reservation_id") or said.get("event_id") or "none"
            expected = ask_the_model(oracle, op, body, caller, new_id)
            assert found == expected, f"{op}\n answered {found}\n expected {expected}"

        return judge

    def _note(self, found: Body | Refusal) -> None:
        if isinstance(found, Refusal):
            what = str(found.code)
        else:
            what = found.get("reason_code") or found.get("decision") or found["status"]
        self.answers[what] = self.answers.get(what, 0) + 1

    def _check(self, outcome: Outcome[Any]) -> None:
        """What was written is what the oracle has, and within its bounds."""
        for record in outcome.changes:
            match record:
                case Account():
                    key = (record.tenant, record.scope, str(record.unit))
                    expected = self.oracle.numbers(key)
                    assert numbers(record) == expected, f"{record}\n expected {expected}"
                    self.oracle.check(key)
                case Counter():
                    tenant, scope, counted = record.key[1:4]
                    name = (tenant, scope, counted, str(record.window), record.bucket)
                    expected_used = self.oracle.used(name)
                    assert record.used == expected_used, f"{record}\n expected {expected_used}"
                    assert record.used <= record.limit, f"{record} is above its limit"
                case Reservation():
                    status = self.oracle.holds[record.reservation_id]["status"]
                    assert record.status == status, f"{record}\n expected {status}"
                case _:
                    pass


def swept(oracle: Oracle, outcome: Outcome[Any]) -> None:
    """The sweeper may end what is overdue, and nothing else."""
    for record in outcome.changes:
        if isinstance(record, Reservation):
            assert record.status is ReservationStatus.EXPIRED, f"the sweeper wrote {record}"
            oracle.expire(record.reservation_id)


class Hearing:
    def __init__(self, court: Court) -> None:
        self._court = court

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> bool:
        if isinstance(error, AssertionError | KeyError):
            self._court.violations.append(f"{type(error).__name__}: {error}")
            return True
        return False

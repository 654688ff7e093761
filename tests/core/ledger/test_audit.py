"""The audit, and the proof that it would notice: a rule broken on purpose must make it fail."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from runcycles.ledger import apply, funding, idempotency, overage, refusals, rules
from runcycles.ledger.lifecycle import Step, after
from runcycles.ledger.state import Account, Need, Outcome, Reservation, Snapshot
from runcycles.ops import Refused
from runcycles.testing import authority
from runcycles.types import ReservationStatus
from tests.core.ledger.audit import Audit

AUDIT = settings(stateful_step_count=50)  # the profile says how many of them
UNTIL_IT_FAILS = settings(
    AUDIT,
    max_examples=3_000,  # hardly ever more than a hundred before the first difference
    phases=[Phase.generate],  # which need not be a short one
    derandomize=True,
    database=None,
    report_multiple_bugs=False,
    suppress_health_check=list(HealthCheck),
)


def test_the_ledger_and_the_naive_model_agree_on_everything() -> None:
    run_state_machine_as_test(Audit, settings=AUDIT)


# --- rules, each broken in one place ---


def more_is_held_than_there_is(*args: Any, **options: Any) -> Any:
    return refusals.budget_refusal(*args, **{**options, "must_fit": False})


def an_event_passes_a_frozen_budget(*args: Any, is_event: bool = False, **options: Any) -> Any:
    return None if is_event else refusals.budget_refusal(*args, is_event=False, **options)


def what_was_settled_is_settled_again(status: ReservationStatus, step: Step) -> Any:
    return after(ReservationStatus.ACTIVE, step)


def only_the_root_is_charged(accounts: tuple[Account, ...], **amounts: Any) -> Any:
    return overage.charge(accounts[:1], **amounts)


def a_short_budget_is_not_flagged(account: Account, **moves: Any) -> Account:
    return real_moved(account, **{**moves, "flag": False})


def a_little_more_is_there_than_remains(account: Account) -> int:
    return max(account.remaining + 1, 0)


def grace_is_over_too_early(reservation: Reservation) -> int:
    return reservation.expires_at_ms + reservation.grace_ms - 1


def grace_never_ends(reservation: Reservation) -> int:
    return reservation.expires_at_ms + 10**15


def nothing_is_remembered(snapshot: Snapshot, keyed: Any) -> Any:
    return None


def a_key_answers_any_request(snapshot: Snapshot, keyed: Any) -> Any:
    found = snapshot.remembered(keyed.key)
    same = keyed if found is None else replace(keyed, fingerprint=found.fingerprint)
    return idempotency.replay(snapshot, same)


def an_answer_is_kept_forever(outcome: Any, keyed: Any, *, until_ms: int, **lease: Any) -> Any:
    return idempotency.remember(outcome, keyed, until_ms=10**15, **lease)


def a_dry_run_holds(snapshot: Snapshot, request: Any, standing: Any, *, tenant: str) -> Any:
    return rules.reserve(snapshot, request, standing, tenant=tenant, reservation_id="dry")


def an_expired_hold_stays(snapshot: Snapshot, reservation: Reservation) -> Any:
    expired = real_expire(snapshot, reservation)
    return expired if isinstance(expired, Need) else Outcome(True, expired.changes[-1:])


def a_closed_tenant_goes_on(owner: Any, **options: Any) -> Any:
    return None


def funding_leaves_the_flag(account: Account, *given: Any) -> Account | Refused:
    funded = funding.fund(account, *given)
    if isinstance(funded, Account):
        return replace(funded, is_over_limit=account.is_over_limit)
    return funded


real_moved, real_expire = Account.moved, rules.expire

Break = tuple[Any, str, Callable[..., Any] | property]
BREAKS: list[Break] = [
    (rules, "budget_refusal", more_is_held_than_there_is),
    (rules, "budget_refusal", an_event_passes_a_frozen_budget),
    (rules, "after", what_was_settled_is_settled_again),
    (rules, "charge", only_the_root_is_charged),
    (rules, "expire", an_expired_hold_stays),
    (rules, "tenant_refusal", a_closed_tenant_goes_on),
    (rules, "dry_run", a_dry_run_holds),
    (overage, "_funds", a_little_more_is_there_than_remains),
    (Account, "moved", a_short_budget_is_not_flagged),
    (Reservation, "settles_until_ms", property(grace_is_over_too_early)),
    (Reservation, "settles_until_ms", property(grace_never_ends)),
    (apply, "replay", nothing_is_remembered),
    (apply, "replay", a_key_answers_any_request),
    (apply, "remember", an_answer_is_kept_forever),
    (authority, "fund", funding_leaves_the_flag),
]


def name_of(rule: object) -> str:
    return getattr(rule.fget if isinstance(rule, property) else rule, "__name__", "")


@pytest.mark.parametrize(("place", "name", "broken"), BREAKS, ids=[name_of(b) for *_, b in BREAKS])
def test_a_ledger_with_one_broken_rule_fails_the_audit(
    place: Any, name: str, broken: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(place, name, broken)
    with pytest.raises(AssertionError):
        run_state_machine_as_test(Audit, settings=UNTIL_IT_FAILS)

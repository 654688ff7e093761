"""The audit of authority, and the proof that it would notice a rule that is broken on purpose."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis.stateful import run_state_machine_as_test

from runcycles.ledger import apply, authority, counting, rules, terms
from runcycles.ledger.authority import Standing
from runcycles.ledger.counting import Considered, counter_at
from runcycles.ledger.policies import Counter, PolicyBook, Stops
from runcycles.ledger.state import Reservation, Snapshot
from runcycles.ledger.windows import bucket_of
from runcycles.types import RiskClass
from tests.core.ledger.action_audit import ActionAudit
from tests.core.ledger.test_audit import AUDIT, UNTIL_IT_FAILS, Break, name_of


def test_authority_and_the_naive_model_agree_on_everything() -> None:
    run_state_machine_as_test(ActionAudit, settings=AUDIT)


# --- rules, each broken in one place ---


def nobody_has_a_say(snapshot: Snapshot, op: Any, tenant: str) -> Standing:
    return Standing(risk_class=RiskClass.SIDE_EFFECT)


def a_stop_stops_nobody(stops: Stops, scopes: tuple[str, ...]) -> None:
    return None


def the_lowest_priority_decides(book: PolicyBook, scopes: tuple[str, ...], now_ms: int) -> Any:
    turned = (replace(policy, priority=-policy.priority) for policy in book.policies)
    return real_match(PolicyBook(tenant=book.tenant, policies=tuple(turned)), scopes, now_ms)


def nothing_is_refused(*about: Any) -> None:
    return None


def one_more_fits(limit: Considered) -> int:
    return limit.limit - limit.used + 1


def nothing_is_counted(limit: Considered, now_ms: int) -> Counter:
    return replace(real_one_more(limit, now_ms), used=limit.used)


def nothing_is_given_back(snapshot: Snapshot, reservation: Reservation) -> tuple[Counter, ...]:
    return ()


def it_is_given_back_to_whoever_came_after(
    snapshot: Snapshot, reservation: Reservation
) -> tuple[Counter, ...]:
    found = (counter_at(snapshot, key) for key in reservation.counted)
    return tuple(replace(each, used=each.used - 1) for each in found if each and each.used)


def everything_is_let_in(quota: Any, said: Any) -> bool:
    return True


def the_mode_of_the_tenant_is_forgotten(op: Any, owner: Any) -> bool:
    return real_observed(op, None)


def a_class_counts_like_a_kind(quota: Any) -> str:
    return quota.action_kind or "high_risk"


def every_window_is_a_day(window: Any, now_ms: int) -> str:
    return bucket_of(window, now_ms)[:10]


def policies_have_no_caps(policy: Any, accounts: Any) -> None:
    return None


def policies_do_not_shorten(asked: Any, policy: Any, owner: Any) -> int:
    return real_lease(asked, None, owner)


def counters_are_kept_for_ever(window: Any) -> int:
    return 10**12


real_match, real_one_more = PolicyBook.match, Considered.one_more
real_observed = authority._observed  # noqa: SLF001 - to break it
real_lease = terms.lease_ms

BREAKS: list[Break] = [
    (apply, "standing_of", nobody_has_a_say),
    (Stops, "covering", a_stop_stops_nobody),
    (PolicyBook, "match", the_lowest_priority_decides),
    (authority, "kind_denied", nothing_is_refused),
    (authority, "kind_not_allowed", nothing_is_refused),
    (authority, "run_id_missing", nothing_is_refused),
    (authority, "undeclared_kind", nothing_is_refused),
    (authority, "rate_limited", nothing_is_refused),
    (rules, "commit_rate", nothing_is_refused),
    (Considered, "headroom", property(one_more_fits)),
    (Considered, "one_more", nothing_is_counted),
    (rules, "given_back", nothing_is_given_back),
    (rules, "given_back", it_is_given_back_to_whoever_came_after),
    (authority, "_lets_in", everything_is_let_in),
    (authority, "_observed", the_mode_of_the_tenant_is_forgotten),
    (authority, "counted_as", a_class_counts_like_a_kind),
    (authority, "bucket_of", every_window_is_a_day),
    (counting, "kept_ms", counters_are_kept_for_ever),
    (terms, "caps", policies_have_no_caps),
    (terms, "lease_ms", policies_do_not_shorten),
]


@pytest.mark.parametrize(
    ("place", "name", "broken"),
    BREAKS,
    ids=[f"{name}-{name_of(broken)}" for _, name, broken in BREAKS],
)
def test_an_authority_with_one_broken_rule_fails_the_audit(
    place: Any, name: str, broken: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(place, name, broken)
    with pytest.raises(AssertionError):
        run_state_machine_as_test(ActionAudit, settings=UNTIL_IT_FAILS)

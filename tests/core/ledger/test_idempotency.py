"""Same key, same request: same answer. Same key, another request: a conflict."""

import pytest

from runcycles.testing import play


def test_a_repeated_question_gets_its_first_answer_and_has_one_effect() -> None:
    play("""
        budget   acme                  allocated 100
        reserve  r1 acme 10 key k      -> allowed budgets 1
        reserve  r1 acme 10 key k      -> replayed allowed budgets 1
        balance  acme                  -> reserved 10
        extend   r1 10s key k          -> extended
        extend   r1 10s key k          -> replayed extended left 70s
        commit   r1 5 key k            -> charged 5 released 5
        commit   r1 5 key k            -> replayed charged 5 released 5
        event    acme 3 key k          -> applied charged 3
        event    acme 3 key k          -> replayed applied charged 3
        balance  acme                  -> reserved 0 spent 8
        reserve  r2 acme 10            -> allowed
        release  r2 key k              -> released 10
        release  r2 key k              -> replayed released 10
        decide   acme 92 key k         -> allowed
        decide   acme 92 key k         -> replayed allowed
    """)


def test_a_dry_run_is_replayed_as_it_was_though_nothing_is_as_it_was() -> None:
    play("""
        budget   acme                  allocated 10
        dry-run  acme 11 key k         -> denied BUDGET_EXCEEDED at acme remaining 10
        fund     acme 100              -> funded
        dry-run  acme 11 key k         -> replayed denied BUDGET_EXCEEDED at acme remaining 10
    """)


@pytest.mark.parametrize(
    ("first", "other"),
    [
        ("reserve r1 acme 10 key k -> allowed", "reserve r2 acme 11 key k"),
        ("reserve r1 acme 10 key k -> allowed", "reserve r2 acme/bot 10 key k"),
        ("reserve r1 acme 10 key k -> allowed", "reserve r2 acme 10 CREDITS key k"),
        ("reserve r1 acme 10 key k -> allowed", "reserve r2 acme 10 ttl 60s key k"),
        (
            "reserve r1 acme 10 key k -> allowed",
            "reserve r2 acme 10 policy ALLOW_IF_AVAILABLE key k",
        ),
        ("reserve r1 acme 10 key k -> allowed", "reserve r2 acme 10 grace 4s key k"),
        ("reserve r1 acme 10 key k -> allowed", "dry-run acme 10 key k"),
        ("dry-run acme 10 key k -> allowed", "reserve r2 acme 10 key k"),
        ("dry-run acme 10 key k -> allowed", "dry-run acme 9 key k"),
        ("decide acme 10 key k -> allowed", "decide acme 9 key k"),
        ("event acme 10 key k -> applied", "event acme 9 key k"),
        ("event acme 10 key k -> applied", "event acme 10 policy REJECT key k"),
        ("commit r0 10 key k -> charged 10", "commit r0 9 key k"),
        ("extend r0 10s key k -> extended", "extend r0 9s key k"),
    ],
)
def test_a_key_used_for_another_request_is_a_conflict(first: str, other: str) -> None:
    play(f"""
        budget   acme                  allocated 100
        reserve  r0 acme 10            -> allowed
        {first}
        {other}                        -> refused IDEMPOTENCY_MISMATCH http 409
    """)


def test_a_conflict_changes_nothing_and_leaves_the_first_answer_where_it_is() -> None:
    play("""
        budget       acme                  allocated 100
        reserve      r1 acme 10 key k      -> allowed
        dry-run      acme 10 key k         -> refused IDEMPOTENCY_MISMATCH
        reserve      r2 acme 11 key k      -> refused IDEMPOTENCY_MISMATCH
        balance      acme                  -> reserved 10
        commit       r1 5 key k            -> charged 5
        commit       r1 6 key k            -> refused IDEMPOTENCY_MISMATCH
        balance      acme                  -> reserved 0 spent 5
        reserve      r1 acme 10 key k      -> replayed allowed
        commit       r1 5 key k            -> replayed charged 5
    """)


def test_said_or_unsaid_the_default_grace_is_the_same_request() -> None:
    play("""
        budget   acme                           allocated 100
        reserve  r1 acme 10 key k               -> allowed
        reserve  r1 acme 10 grace 5s key k      -> replayed allowed
        reserve  r2 acme 10 grace 5s key l      -> allowed
        reserve  r2 acme 10 key l               -> replayed allowed
    """)


def test_one_key_serves_every_endpoint_every_tenant_and_every_reservation_once() -> None:
    play("""
        budget   acme                  allocated 100
        budget   beta                  allocated 100
        decide   acme 1 key k          -> allowed
        event    acme 1 key k          -> applied
        reserve  r1 acme 1 key k       -> allowed
        reserve  r2 beta 1 key k       -> allowed
        reserve  r3 acme 1             -> allowed
        extend   r1 1s key k           -> extended
        extend   r3 1s key k           -> extended
        commit   r1 1 key k            -> charged 1
        commit   r3 1 key k            -> charged 1
        release  r2 key k              -> released 1
    """)


def test_a_finished_reservation_answers_another_key_with_its_end_not_with_a_conflict() -> None:
    play("""
        budget   acme                  allocated 100
        reserve  r1 acme 10            -> allowed
        commit   r1 10 key k           -> charged 10
        commit   r1 10 key other       -> refused RESERVATION_FINALIZED
        release  r1 key k              -> refused RESERVATION_FINALIZED
    """)


def test_what_was_refused_is_not_remembered() -> None:
    play("""
        budget   acme                  allocated 10
        reserve  r1 acme 11 key k      -> denied BUDGET_EXCEEDED
        reserve  r1 acme 10 key k      -> allowed
        event    acme 1 policy REJECT key k -> refused BUDGET_EXCEEDED
        fund     acme 1                -> funded
        event    acme 1 policy REJECT key k -> applied
        commit   r1 10 CREDITS key k   -> refused UNIT_MISMATCH
        commit   r1 10 key k           -> charged 10
    """)


def test_a_replay_wins_over_everything_that_happened_since() -> None:
    play("""
        budget   acme                  allocated 100
        reserve  r1 acme 10 key k      -> allowed
        reserve  r2 acme 10            -> allowed
        commit   r2 10 key k           -> charged 10
        event    acme 10 key k         -> applied
        decide   acme 10 key k         -> allowed
        freeze   acme
        tenant   acme                  status CLOSED
        advance  1h
        sweep                          -> expired 1
        reserve  r1 acme 10 key k      -> replayed allowed left 0
        commit   r2 10 key k           -> replayed charged 10
        event    acme 10 key k         -> replayed applied
        decide   acme 10 key k         -> replayed allowed
    """)


def test_a_replay_to_another_tenant_is_refused_like_the_request() -> None:
    play("""
        budget   acme                  allocated 100
        reserve  r1 acme 10 key k      -> allowed
        commit   r1 10 key k           -> charged 10
        reserve  r2 acme 10 key k as beta -> refused FORBIDDEN
        commit   r1 10 key k as beta   -> refused FORBIDDEN
    """)


def test_a_replay_says_what_is_left_of_the_lease_that_was_answered() -> None:
    play("""
        budget   acme                       allocated 100
        reserve  r1 acme 10 ttl 10s key k   -> allowed left 10s
        advance  4s
        reserve  r1 acme 10 ttl 10s key k   -> replayed left 6s
        extend   r1 10s key k               -> extended left 16s
        reserve  r1 acme 10 ttl 10s key k   -> replayed left 6s
        advance  1s
        extend   r1 10s key k               -> replayed left 15s
        advance  5s
        reserve  r1 acme 10 ttl 10s key k   -> replayed left 0
        advance  1s
        reserve  r1 acme 10 ttl 10s key k   -> replayed left 0
        extend   r1 10s key k               -> replayed left 9s
    """)


def test_nothing_is_left_of_the_lease_of_a_settled_reservation() -> None:
    play("""
        budget   acme                  allocated 100
        reserve  r1 acme 10 key k      -> allowed left 60s
        extend   r1 10s key k          -> extended left 70s
        release  r1                    -> released 10
        reserve  r1 acme 10 key k      -> replayed allowed left 0
        extend   r1 10s key k          -> replayed extended left 0
    """)


# --- how long answers are kept ---


@pytest.mark.parametrize(
    ("question", "kept", "answer"),
    [
        ("decide acme 10 key k", "1d", "allowed"),
        ("dry-run acme 10 key k", "1d", "allowed"),
        ("event acme 10 key k", "7d", "applied"),
    ],
)
def test_an_answer_is_kept_for_its_time_and_then_forgotten(
    question: str, kept: str, answer: str
) -> None:
    play(f"""
        budget   acme          allocated 100
        {question}             -> {answer}
        advance  {kept}
        {question}             -> {answer}
    """)
    play(f"""
        budget   acme          allocated 100
        advance  1ms
        {question}             -> {answer}
        advance  23h
        {question}             -> replayed {answer}
    """)


def test_an_event_is_replayed_up_to_the_last_millisecond_of_its_week() -> None:
    play("""
        budget   acme          allocated 100
        event    acme 10 key k -> applied
        advance  604799999ms
        event    acme 10 key k -> replayed applied
        advance  1ms
        event    acme 10 key k -> applied
        balance  acme          -> spent 20
    """)


def test_after_thirty_days_a_reservation_may_be_made_again_and_a_commit_is_just_too_late() -> None:
    play("""
        budget   acme                  allocated 100
        reserve  r1 acme 10 key k      -> allowed
        commit   r1 10 key k           -> charged 10
        advance  2591999999ms
        reserve  r1 acme 10 key k      -> replayed allowed left 0
        commit   r1 10 key k           -> replayed charged 10
        advance  1ms
        reserve  r2 acme 10 key k      -> allowed left 60s
        commit   r1 10 key k           -> refused RESERVATION_FINALIZED
    """)


def test_an_extension_is_remembered_until_the_lease_that_it_granted_ends() -> None:
    play("""
        budget   acme                                 allocated 100
        reserve  r1 acme 10 ttl 10s key k             -> allowed
        extend   r1 10s key k                         -> extended left 20s
        advance  19999ms
        extend   r1 10s key k                         -> replayed left 1ms
        advance  2ms
        extend   r1 10s key k                         -> refused RESERVATION_EXPIRED
    """)

import pytest

from runcycles.testing import play

STATES = {
    "enough": ("budget acme allocated 100", "allowed"),
    "exactly enough": ("budget acme allocated 40", "allowed"),
    "one too few": ("budget acme allocated 39", "denied BUDGET_EXCEEDED at acme"),
    "a frozen budget": ("budget acme allocated 100 state FROZEN", "denied BUDGET_FROZEN at acme"),
    "a closed budget": ("budget acme allocated 100 state CLOSED", "denied BUDGET_CLOSED at acme"),
    "a flagged budget": (
        "budget acme allocated 100 over-limit",
        "denied OVERDRAFT_LIMIT_EXCEEDED at acme",
    ),
    "a budget in debt": ("budget acme allocated 100 debt 1", "denied DEBT_OUTSTANDING at acme"),
    "no budget": ("", "denied BUDGET_NOT_FOUND at acme/bot"),
    "another unit": ("budget acme CREDITS allocated 100", "refused UNIT_MISMATCH at acme"),
    "a closed tenant": ("tenant acme status CLOSED", "denied TENANT_CLOSED at acme"),
    "a suspended tenant": ("tenant acme status SUSPENDED", "denied TENANT_SUSPENDED at acme"),
    "a damaged tenant": ("tenant acme status closed", "refused INTERNAL_ERROR"),
}


@pytest.mark.parametrize(("state", "answer"), STATES.values(), ids=STATES)
def test_a_dry_run_and_a_decide_say_what_a_reservation_would_be_told(
    state: str, answer: str
) -> None:
    play(f"""
        {state}
        decide   acme/bot 40            -> {answer}
        dry-run  acme/bot 40            -> {answer}
        reserve  r1 acme/bot 40         -> {answer}
    """)


@pytest.mark.parametrize("question", ["decide", "dry-run"])
def test_a_denial_of_something_that_holds_nothing_is_an_answer(question: str) -> None:
    play(f"""
        {question}  acme/bot 40          -> denied BUDGET_NOT_FOUND http 200 affected 2
        budget      acme                 allocated 39
        {question}  acme/bot 40          -> denied BUDGET_EXCEEDED http 200 remaining 39
        tenant      acme                 status SUSPENDED
        {question}  acme/bot 40          -> denied TENANT_SUSPENDED http 200
        tenant      acme                 status CLOSED
        {question}  acme/bot 40          -> denied TENANT_CLOSED http 200
    """)


def test_a_dry_run_holds_nothing_and_shows_the_balances_of_now() -> None:
    play("""
        budget   acme                  allocated 100
        dry-run  acme/bot 40           -> allowed held 40 affected 2 budgets 1
        balance  acme                  -> reserved 0 remaining 100
        dry-run  acme/bot 100          -> allowed
    """)


def test_a_decide_holds_nothing() -> None:
    play("""
        budget   acme                  allocated 100
        decide   acme/bot 100          -> allowed affected 2
        decide   acme/bot 100          -> allowed affected 2
        balance  acme                  -> reserved 0 remaining 100
    """)


def test_a_dry_run_takes_the_same_policy_and_lease_options_as_a_reservation() -> None:
    play("""
        budget   acme                  allocated 100
        dry-run  acme 40 policy REJECT ttl 5s grace 0 -> allowed
    """)

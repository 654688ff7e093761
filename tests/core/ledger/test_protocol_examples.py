"""Worked examples whose results are known from the protocol's reference server, in order.

Where we decided otherwise, the scenario's title says what we do.
"""

import pytest

from runcycles.testing import play

EXAMPLES = {
    "a scope without a budget is skipped": """
        budget   acme                 allocated 1000
        reserve  r1 acme/bot 100      -> allowed affected 2 budgets 1
        balance  acme                 -> remaining 900 reserved 100 spent 0 debt 0
    """,
    "a budget made after the reservation is left alone": """
        budget   acme                 allocated 1000
        reserve  r1 acme/bot 100      -> allowed
        budget   acme/bot             allocated 10
        commit   r1 150               -> charged 150
        balance  acme                 -> remaining 850 reserved 0 spent 150 debt 0
        balance  acme/bot             -> remaining 10 reserved 0 spent 0 debt 0
    """,
    "we look for each reason in all scopes, so a frozen leaf comes before an empty root": """
        budget   acme                 allocated 50
        budget   acme/bot             allocated 500 state FROZEN
        reserve  r1 acme/bot 100      -> denied BUDGET_FROZEN at acme/bot
    """,
    "debt without an overdraft stops even a reservation of nothing": """
        budget   acme/bot             allocated 10 debt 5
        reserve  r1 acme/bot 0        -> denied DEBT_OUTSTANDING at acme/bot remaining 5
    """,
    "a budget in another unit is a mismatch": """
        budget   acme USD_MICROCENTS  allocated 100
        reserve  r1 acme/bot 10       -> refused UNIT_MISMATCH at acme http 400
    """,
    "a scope with a budget in another unit is skipped where a deeper one has the right unit": """
        budget   acme USD_MICROCENTS  allocated 100
        budget   acme/bot             allocated 50
        reserve  r1 acme/bot 10       -> allowed
        balance  acme/bot             -> remaining 40 reserved 10
    """,
    "an overdraft books only the part that nothing funds": """
        budget   acme                 allocated 100 overdraft 50
        budget   acme/bot             allocated 200
        reserve  r1 acme/bot 60 policy ALLOW_WITH_OVERDRAFT -> allowed
        commit   r1 120               -> charged 120
        balance  acme                 -> remaining -20 reserved 0 spent 100 debt 20
        balance  acme/bot             -> remaining 80 reserved 0 spent 120 debt 0
    """,
    "a negative rest denies even nothing": """
        budget   acme                 allocated 100 spent 100 debt 20 overdraft 50
        reserve  r1 acme 0            -> denied BUDGET_EXCEEDED at acme remaining -20
    """,
    "debt may land exactly on its limit": """
        budget   acme                 allocated 100 overdraft 50
        reserve  r1 acme 60 policy ALLOW_WITH_OVERDRAFT -> allowed
        commit   r1 151               -> refused OVERDRAFT_LIMIT_EXCEEDED at acme http 409
        commit   r1 150               -> charged 150
        balance  acme                 -> remaining -50 reserved 0 spent 100 debt 50
    """,
    "a capped charge flags only the scope that was short": """
        budget   acme                 allocated 150
        budget   acme/bot             allocated 1000
        reserve  r1 acme/bot 100 policy ALLOW_IF_AVAILABLE -> allowed
        commit   r1 200               -> charged 150
        balance  acme                 -> remaining 0 reserved 0 spent 150 over-limit
        balance  acme/bot             -> remaining 850 reserved 0 spent 150
    """,
    "an event below zero charges nothing, then borrows up to the limit": """
        budget   acme                 allocated 100 spent 100 debt 20 overdraft 50
        event    acme 10 policy ALLOW_IF_AVAILABLE    -> applied charged 0 capped
        balance  acme                 -> remaining -20 debt 20 over-limit
        event    acme 30 policy ALLOW_WITH_OVERDRAFT  -> applied charged 30
        balance  acme                 -> remaining -50 debt 50 over-limit
        event    acme 1 policy ALLOW_WITH_OVERDRAFT   -> refused OVERDRAFT_LIMIT_EXCEEDED at acme
    """,
    "a scope without a limit caps what another one may borrow": """
        budget   acme                 allocated 5
        budget   acme/bot             allocated 0 overdraft 100
        event    acme/bot 20 policy ALLOW_WITH_OVERDRAFT -> applied charged 5 capped
        balance  acme                 -> remaining 0 reserved 0 spent 5 over-limit
        balance  acme/bot             -> remaining -5 debt 5
    """,
    "an event takes what the tightest scope has": """
        budget   acme                 allocated 50
        budget   acme/bot             allocated 30
        event    acme/bot 40 policy ALLOW_IF_AVAILABLE -> applied charged 30 capped
        balance  acme                 -> remaining 20
        balance  acme/bot             -> remaining 0 over-limit
    """,
    "an event that rejects overage may take exactly what remains": """
        budget   acme                 allocated 50
        event    acme 51 policy REJECT -> refused BUDGET_EXCEEDED at acme http 409
        event    acme 50 policy REJECT -> applied charged 50
        balance  acme                 -> remaining 0
    """,
    "a commit of nothing gives everything back": """
        budget   acme                 allocated 100
        reserve  r1 acme 40           -> allowed
        commit   r1 0                 -> charged 0 released 40
        balance  acme                 -> remaining 100
    """,
    "a refused commit may be repeated with its key and another amount": """
        budget   acme                 allocated 100
        reserve  r1 acme 10 policy REJECT -> allowed
        commit   r1 20 key z          -> refused BUDGET_EXCEEDED http 409
        commit   r1 10 key z          -> charged 10
    """,
    "one key serves two reservations": """
        budget   acme                 allocated 100
        reserve  r1 acme 10           -> allowed
        reserve  r2 acme 10           -> allowed
        commit   r1 10 key k          -> charged 10
        commit   r2 10 key k          -> charged 10
    """,
    "a committed reservation is final": """
        budget   acme                 allocated 100
        reserve  r1 acme 10           -> allowed
        commit   r1 10                -> charged 10
        commit   r1 10                -> refused RESERVATION_FINALIZED http 409
        commit   r1 10 CREDITS        -> refused RESERVATION_FINALIZED
        extend   r1 1s                -> refused RESERVATION_FINALIZED
        release  r1                   -> refused RESERVATION_FINALIZED
    """,
    "the unit is looked at before the time": """
        budget   acme                 allocated 100
        reserve  r1 acme 10           -> allowed
        advance  1d
        commit   r1 10 CREDITS        -> refused UNIT_MISMATCH http 400
        commit   r1 10                -> refused RESERVATION_EXPIRED http 410
    """,
    "an over-limit scope takes events and no reservations": """
        budget   acme                 allocated 50 over-limit
        event    acme 5               -> applied charged 5
        reserve  r1 acme 1            -> denied OVERDRAFT_LIMIT_EXCEEDED at acme
    """,
    "a closed tenant is denied, and a damaged record is not an open one": """
        budget   acme                 allocated 50
        tenant   acme                 status CLOSED
        reserve  r1 acme 1            -> denied TENANT_CLOSED at acme http 409
        tenant   acme                 status closed
        reserve  r1 acme 1            -> refused INTERNAL_ERROR http 500
    """,
    "we deny what a suspended tenant would start": """
        budget   acme                 allocated 50
        tenant   acme                 status SUSPENDED
        reserve  r1 acme 1            -> denied TENANT_SUSPENDED at acme http 403
    """,
    "the largest amount is exact": """
        budget   acme                 allocated 9223372036854775807
        reserve  r1 acme 9223372036854775807 -> allowed
        balance  acme                 -> remaining 0 reserved 9223372036854775807
        commit   r1 0                 -> charged 0 released 9223372036854775807
        balance  acme                 -> remaining 9223372036854775807 reserved 0 spent 0
    """,
    "a capped overdraft leaves no debt where no debt is allowed": """
        budget   acme                 allocated 50000
        event    acme 500000 policy ALLOW_WITH_OVERDRAFT -> applied charged 50000 capped
        balance  acme                 -> remaining 0 debt 0 over-limit
    """,
    "a large overdraft is funded as far as it goes": """
        budget   acme                 allocated 1000000 spent 950000 overdraft 100000
        reserve  r1 acme 1000 policy ALLOW_WITH_OVERDRAFT -> allowed
        commit   r1 100000            -> charged 100000
        balance  acme                 -> spent 1000000 debt 50000 remaining -50000
    """,
}


@pytest.mark.parametrize("scenario", EXAMPLES.values(), ids=EXAMPLES)
def test_the_ledger_answers_as_the_worked_examples_do(scenario: str) -> None:
    play(scenario)

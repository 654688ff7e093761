"""The language of scenarios: what it compares, and that nothing in it passes in silence."""

import sys
from textwrap import dedent

import pytest

from runcycles.testing import InMemoryAuthority, ScenarioError, play
from runcycles.types import PolicyKeys, tokens

BUDGET = "budget acme allocated 100\n"


def failure_of(text: str) -> str:
    with pytest.raises(AssertionError) as failure:
        play(text)
    return str(failure.value)


def test_the_scenario_of_the_documentation_plays() -> None:
    documentation = sys.modules[play.__module__].__doc__
    assert documentation is not None
    play(documentation.split("```")[1])


def test_a_line_that_comes_out_otherwise_shows_what_was_expected_and_what_came() -> None:
    line = "reserve r1 acme 70 -> denied BUDGET_EXCEEDED at acme"
    assert failure_of(BUDGET + line) == dedent("""\
        line 2: reserve r1 acme 70 -> denied BUDGET_EXCEEDED at acme
        expected: denied BUDGET_EXCEEDED at tenant:acme
        got:      allowed held 70 left 60000 affected 1 budgets 1 http 200""")


@pytest.mark.parametrize(
    "line",
    [
        "reserve r1 acme 101 -> allowed",
        "reserve r1 acme 101 -> denied BUDGET_FROZEN",
        "reserve r1 acme 101 -> denied BUDGET_EXCEEDED at acme/bot",
        "reserve r1 acme 101 -> denied BUDGET_EXCEEDED http 200",
        "reserve r1 acme 101 -> denied BUDGET_EXCEEDED remaining 99",
        "reserve r1 acme 1 -> refused NOT_FOUND",
        "reserve r1 acme 1 -> replayed allowed",
        "reserve r1 acme 1 -> allowed left 59s",
        "reserve r1 acme 1 -> allowed affected 2",
        "event acme 10 -> applied charged 9",
        "event acme 10 -> applied capped",
        "commit r1 1 -> charged 1",
        "release r1 -> released 0",
        "extend r1 1s -> extended",
        "fund acme 5 -> refused BUDGET_FROZEN",
        "balance acme -> remaining 99",
        "balance acme -> over-limit",
        "balance acme -> none",
        "balance beta -> remaining 0",
        "sweep -> expired 1",
        "reservation r1 -> state ACTIVE",
        "counter acme db.query hour 2027-01-15T08 -> used 0",
        "reserve r1 acme 1 -> allowed with-caps",
        "reserve r1 acme 1 -> allowed observed",
        "reserve r1 acme 101 -> denied BUDGET_EXCEEDED by p1",
    ],
)
def test_a_line_that_expects_something_else_fails(line: str) -> None:
    assert failure_of(BUDGET + line).startswith(f"line 2: {line}\nexpected: ")


@pytest.mark.parametrize(
    "line",
    [
        "event acme 101 -> applied charged 100",
        "event acme 10 key k -> applied\nevent acme 10 key k -> applied",
        "set acme over-limit\nbalance acme -> remaining 100",
        "reserve r1 acme 1 observe OBSERVE -> allowed",
        "reserve r1 acme 101 observe OBSERVE -> denied BUDGET_EXCEEDED",
        "policy p1 acme max-tokens 5\ndecide acme 1 -> allowed",
    ],
)
def test_what_changes_the_meaning_of_an_answer_must_be_said(line: str) -> None:
    failure_of(BUDGET + line)


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("reserv r1 acme 1 -> allowed", "'reserv' is not known here; did you mean 'reserve'?"),
        ("-> allowed", "the word '' is not known"),
        ("reserve r1 acme 1 -> alowed", "'alowed' is not known here; did you mean 'allowed'?"),
        ("reserve r1 acme 1 -> charged 1", "'charged' is not known here"),
        ("reserve r1 acme 1 -> denied BUDGET_EXCEDED", "'BUDGET_EXCEDED' cannot be the denied"),
        ("commit r1 1 -> refused NOPE", "'NOPE' cannot be the refused"),
        ("reserve r1 acme 1 -> allowed left", "left is missing at the end"),
        ("reserve r1 acme 1 -> allowed -> allowed", "more than one arrow"),
        ("reserve r1 acme 1 -> ", "say what must come of it"),
        ("reserve r1 acme 1", "say what must come of it"),
        ("sweep ->", "say what must come of it"),
        ("sweep 5", "'5' is not known here"),
        ("freeze acme -> frozen", "nothing comes of 'freeze'"),
        ("reserve r1 acme -> allowed", "amount is missing at the end"),
        ("reserve r1 acme many -> allowed", "'many' cannot be the amount: write a whole number"),
        ("reserve r1 acme 1.5 -> allowed", "'1.5' cannot be the amount"),
        ("reserve r1 acme 1 tokens -> allowed", "'tokens' is not known here"),
        ("reserve r1 acme 1 ttl soon -> allowed", "'soon' cannot be the ttl: write e.g. 500"),
        ("reserve r1 acme 1 ttl 1s ttl 2s -> allowed", "ttl is there twice"),
        ("reserve r1 acme 1 -> allowed allowed", "allowed is there twice"),
        ("reserve r1 acme 1 TOKENS CREDITS -> allowed", "unit is there twice"),
        ("reserve r1 acme 1 policy MAYBE -> allowed", "'MAYBE' cannot be the policy"),
        ("reserve r1 acme/team:x 1 -> allowed", "cannot be the subject: write e.g. acme"),
        ("reserve r1 acme/a/b 1 -> allowed", "cannot be the subject"),
        ("reserve r1 acme/ 1 -> allowed", "cannot be the subject"),
        ("budget beta state OPEN", "'OPEN' cannot be the state"),
        ("budget beta allocated 5 alocated 6", "did you mean 'allocated'?"),
        ("decide acme 1 ttl 5s -> allowed", "'ttl' is not known here"),
        ("advance", "time is missing at the end"),
        ("policy p1", "pattern is missing at the end"),
        ("policy p1 acme forbids x", "'forbids' is not known here"),
        ("policy p1 acme quotas x=1/week", "write one of run, minute, hour, day, tenant-day"),
        ("policy p1 acme quotas x=many/run", "cannot be the quotas: write a whole number"),
        ("policy p1 acme quotas x", "cannot be the quotas"),
        ("declare custom.x dangerous", "'dangerous' cannot be the risk"),
        ("counter acme x week one -> none", "'week' cannot be the window: write one of run"),
        ("stop s1 acme -> stopped", "nothing comes of 'stop'"),
        ("reserve r1 acme 1 observe MAYBE -> allowed", "'MAYBE' cannot be the observe"),
    ],
)
def test_a_scenario_that_cannot_be_read_is_an_error_before_anything_happens(
    line: str, complaint: str
) -> None:
    authority = InMemoryAuthority()
    with pytest.raises(ScenarioError) as error:
        play(f"{BUDGET}\n{line}\n", authority)
    text = str(error.value)
    assert text.startswith(f"line 3: {line.strip()}\n")
    assert complaint in text
    assert authority.accounts() == []


@pytest.mark.parametrize("line", ["freeze beta", "remove acme CREDITS", "set beta allocated 5"])
def test_an_operator_cannot_change_a_budget_that_is_not_there(line: str) -> None:
    with pytest.raises(ScenarioError, match=rf"line 2: {line}\n.*has 0 such budgets"):
        play(BUDGET + line)


def test_a_stop_that_is_not_there_cannot_be_lifted() -> None:
    with pytest.raises(ScenarioError, match=r"line 1: lift s1\nthere is no stop s1"):
        play("lift s1")


def test_a_budget_cannot_be_opened_beyond_its_range() -> None:
    with pytest.raises(ScenarioError, match=r"line 2: .*\n.*64-bit"):
        play(BUDGET + "budget beta allocated 9223372036854775808")


def test_a_budget_cannot_be_opened_twice() -> None:
    with pytest.raises(ScenarioError, match=r"line 2: .*\n.*has a budget in TOKENS already"):
        play(BUDGET + BUDGET)


def test_a_label_stands_for_one_reservation() -> None:
    with pytest.raises(ScenarioError, match="r1 stands for another reservation already"):
        play(f"{BUDGET}reserve r1 acme 1 -> allowed\nreserve r1 acme 1 -> allowed")


def test_a_label_that_was_never_given_is_an_id() -> None:
    play(f"""
        {BUDGET}
        reserve r1 acme 1000       -> denied BUDGET_EXCEEDED
        commit r1 1                -> refused NOT_FOUND
        reservation r1             -> none
    """)


def test_a_scenario_goes_on_where_another_one_ended() -> None:
    authority = InMemoryAuthority(budgets={"tenant:acme": tokens(10)})
    assert play("event acme 4 -> applied", authority) is authority
    play("balance acme -> remaining 6", authority)


def test_comments_and_empty_lines_say_nothing() -> None:
    play("""
        # a budget

        budget acme allocated 1_000   # large
        balance acme -> remaining 1000
    """)


def test_times_are_written_with_or_without_their_unit() -> None:
    play(f"""
        {BUDGET}
        reserve r1 acme 1 ttl 1h key k   -> allowed left 3600s
        advance 500
        advance 500ms
        advance 1s
        advance 2m
        reserve r1 acme 1 ttl 1h key k   -> replayed left 3478000
        advance 24h
        advance 1d
        reserve r1 acme 1 ttl 1h key k   -> replayed left 0ms
    """)


def test_a_broken_limit_of_the_protocol_is_a_refusal_like_any_other() -> None:
    play(f"""
        {BUDGET}
        reserve r1 acme 1 ttl 5ms  -> refused INVALID_REQUEST http 400
        event acme -1              -> refused INVALID_REQUEST http 400
    """)


def test_the_verbs_of_operators_do_what_they_are_called() -> None:
    play("""
        budget   acme CREDITS allocated 5 spent 1 reserved 1 debt 1 overdraft 9 policy REJECT
        balance  acme CREDITS -> allocated 5 spent 1 reserved 1 debt 1 overdraft 9 remaining 2
        event    acme 3 CREDITS -> refused BUDGET_EXCEEDED
        freeze   acme CREDITS
        balance  acme CREDITS -> state FROZEN
        unfreeze acme CREDITS
        balance  acme CREDITS -> state ACTIVE
        close    acme CREDITS
        balance  acme CREDITS -> state CLOSED
        set      acme CREDITS state ACTIVE overdraft 3
        balance  acme CREDITS -> state ACTIVE overdraft 3
        remove   acme CREDITS
        balance  acme CREDITS -> none
        budget   agent:bot as beta allocated 7
        balance  agent:bot as beta -> allocated 7
        sweep
    """)


def test_what_operators_say_about_actions_does_what_it_is_called() -> None:
    play("""
        budget   acme allocated 100
        declare  custom.acme.launch high_risk
        policy   p1 acme/agent:* quotas high_risk=2/run,custom.acme.launch=9/tenant-day as acme
        reserve  r1 acme/bot 1 kind custom.acme.launch run a -> allowed
        counter  acme/bot high_risk run a                    -> used 1 limit 2 by p1
        counter  acme custom.acme.launch tenant-day 2027-01-15 -> used 1 limit 9
        counter  acme/bot high_risk run b                    -> none
        policy   p2 beta/* denies web.search
        stop     s1 acme/bot because drill
        decide   acme/bot 1  -> denied BUDGET_FROZEN at acme/bot
        lift     s1
        decide   acme/bot 1  -> allowed
    """)


def test_an_action_says_what_it_touches() -> None:
    authority = play("""
        budget   acme allocated 100
        reserve  r1 acme 1 kind document.share host a.com domain b.com resource c -> allowed
    """)
    (reservation,) = authority.reservations()
    assert reservation.action.policy_keys == PolicyKeys(
        host="a.com", recipient_domain="b.com", resource_type="c"
    )

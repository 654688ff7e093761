"""Authority by policies: an action that is denied whatever it costs, and one that has a quota."""

from runcycles_demos.authority.actions import CENT, EMAIL, ESCALATE, NOTE, STATUS, actions
from runcycles_demos.authority.facts import Expected, Rows
from runcycles_demos.authority.plays.case import (
    DOLLAR,
    TASK,
    WORK,
    agent_scope,
    customers,
    email_to,
    give_dollars,
    refused,
    spent,
)
from runcycles_demos.authority.stage import Errand, Stage
from runcycles_demos.authority.terms import NEXT_EMAIL, POLICY_DENY


def policy_deny(stage: Stage) -> Expected:
    """Play it with a dollar for e-mails, and a policy that denies them."""
    books = stage.open_books(f"demo-{POLICY_DENY}")
    given = give_dollars(stage.operator, books, emails=DOLLAR)
    policy = stage.operator.policy(
        books.authority.tenant,
        "no e-mails to customers",
        agent_scope(books),
        denied_action_kinds=[actions()[EMAIL].kind],
    )
    stage.work(Errand(task=TASK, steps=WORK, run_id="run-1", books=books))
    return Expected(
        emails=(0,),
        rows=(Rows(notes=1, statuses=1, reviews=1),),
        refused=(refused(EMAIL, "ACTION_KIND_DENIED", policy=policy),),
        ledger=spent(given, {NOTE: 1, STATUS: 1, ESCALATE: 1}),
    )


def next_email(stage: Stage) -> Expected:
    """Play it with a quota of e-mails for a run, and more customers than that."""
    terms = stage.terms
    books = stage.open_books(f"demo-{NEXT_EMAIL}")
    enough = max(DOLLAR, 2 * terms.emails * CENT)  # money is not what holds it back
    given = give_dollars(stage.operator, books, emails=enough, rest=enough)
    quota = {"max_calls": terms.quota, "window": "per_run", "action_kind": actions()[EMAIL].kind}
    policy = stage.operator.policy(
        books.authority.tenant, "e-mails for a run", agent_scope(books), action_quotas=[quota]
    )
    stage.has_quotas = True
    waiting = customers(terms.emails)
    steps = tuple(map(email_to, waiting))
    task = f"{len(waiting)} customers wait for an answer. Write to each of them."
    stage.work(Errand(task=task, steps=steps, run_id="run-1", books=books))
    one = "One customer still waits for an answer. Write to them."
    next_one = steps[terms.quota : terms.quota + 1]
    stage.work(Errand(task=one, steps=next_one, run_id="run-2", books=books))
    left = terms.emails - terms.quota
    return Expected(
        emails=(terms.quota, 1),
        rows=(Rows(reviews=left), Rows()),
        refused=(refused(EMAIL, "ACTION_QUOTA_EXCEEDED", policy=policy),),
        ledger=spent(given, {EMAIL: terms.quota + 1, ESCALATE: left}),
        counters={"run-1": terms.quota, "run-2": 1},
        ended=("answer",) * 2,
    )

"""The scenes: who is given what authority, in words, and who plays them."""

from collections.abc import Callable
from dataclasses import dataclass

from runcycles_demos.authority.actions import EMAIL, ESCALATE, NOTE, STATUS
from runcycles_demos.authority.facts import Expected
from runcycles_demos.authority.plays import budgets, operators, policies
from runcycles_demos.authority.plays.case import CASE, customers
from runcycles_demos.authority.stage import Stage
from runcycles_demos.authority.terms import (
    APPROVE_ONCE,
    AUTHORITY_DOWN,
    NEXT_CRM,
    NEXT_EMAIL,
    POLICY_DENY,
    RISK_POINTS,
    STOP_ALL,
    UNGATED,
    ZERO_BUDGET,
    Terms,
)
from runcycles_demos.authority.world.crm import Case

Rules = tuple[tuple[str, str], ...]
"""What each tool is permitted, in words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """A scene, and the words for it; `play` returns what is claimed of the world afterwards."""

    play: Callable[[Stage], Expected]
    headline: str
    story: str
    rules: Callable[[Terms], Rules] = lambda _: ()
    cases: Callable[[Terms], tuple[Case, ...]] = lambda _: (CASE,)


_PAID: Rules = ((NOTE, "$1.00"), (STATUS, "$1.00"), (ESCALATE, "as the notes"))

SCENES = {
    UNGATED: Scene(
        play=budgets.ungated,
        headline="A support agent with five tools, and nobody to ask.",
        story=(
            "It reads a case, appends a note, changes the status and writes to the customer. "
            "Nothing is between its tools and the world."
        ),
    ),
    ZERO_BUDGET: Scene(
        play=budgets.zero_budget,
        headline="The same agent, and a budget of $0.00 for e-mails.",
        story=(
            "There is a dollar for everything else, so money is not the point: it may take notes "
            "and change the CRM by itself, and may not write to customers."
        ),
        rules=lambda _: (*_PAID, (EMAIL, "$0.00")),
    ),
    POLICY_DENY: Scene(
        play=policies.policy_deny,
        headline="There is money for e-mails, and no authority.",
        story=(
            "E-mails have a dollar of their own, and a policy denies this agent their kind. What "
            "may be paid for may still be forbidden."
        ),
        rules=lambda _: (*_PAID, (EMAIL, "denied")),
    ),
    NEXT_EMAIL: Scene(
        play=policies.next_email,
        headline="May this agent send the next e-mail?",
        story=(
            "More customers wait than it may answer in one run. When its quota is used up it "
            "hands the rest to a human; in a new run it may write again."
        ),
        rules=lambda terms: ((EMAIL, f"{terms.quota} a run"),),
        cases=lambda terms: customers(terms.emails),
    ),
    NEXT_CRM: Scene(
        play=operators.next_crm,
        headline="An operator takes authority back in the middle of the work.",
        story=(
            f"It changes {operators.ROWS} rows of the CRM, one by one. After the fourth the "
            "operator freezes that budget; later the operator unfreezes it, and the agent goes on."
        ),
        rules=lambda _: _PAID,
        cases=lambda _: customers(operators.ROWS),
    ),
    APPROVE_ONCE: Scene(
        play=budgets.approve_once,
        headline="One e-mail, approved by the operator.",
        story=(
            "It may not write to customers. After its first attempt the operator puts one cent "
            "into that budget, the price of one e-mail. The second attempt goes out, the third "
            "does not."
        ),
        rules=lambda _: (*_PAID, (EMAIL, "$0.00, + $0.01")),
    ),
    RISK_POINTS: Scene(
        play=budgets.risk_points,
        headline="A hundred points of risk for one run.",
        story=(
            "A note costs 1 point, a change of status 5, an e-mail 40. After two e-mails a third "
            "is too much for what is left; a note is not, so the agent goes on with less."
        ),
        rules=lambda _: ((NOTE, "1 point"), (STATUS, "5 points"), (EMAIL, "40 points")),
    ),
    AUTHORITY_DOWN: Scene(
        play=budgets.authority_down,
        headline="The authority is gone in the middle of the work.",
        story=(
            "The server is stopped before the agent asks for the e-mail, for which there is "
            "money. Nobody can say yes, so the answer is no. Then the server is started again, "
            "to read its books."
        ),
        rules=lambda _: (*_PAID, (EMAIL, "$1.00")),
    ),
    STOP_ALL: Scene(
        play=operators.stop_all,
        headline="Two agents of two tenants at work, and one emergency stop.",
        story=(
            "Both change rows of the CRM when the operator stops everybody with one call. Both "
            "are refused their next step. The stop is lifted, and with it only what it stopped: "
            "e-mails of the second tenant were frozen before, and stay frozen."
        ),
        rules=lambda _: (*_PAID, (EMAIL, "$1.00")),
        cases=lambda _: (*customers(2 * operators.MANY), CASE),
    ),
}

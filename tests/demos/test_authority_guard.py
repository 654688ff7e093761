"""What stands between a tool and the world where no framework does, and what is told of it."""

from typing import Any

from runcycles import Action, CyclesClient, Subject, usd
from runcycles.ops import Decide, Denied
from runcycles.testing import InMemoryAuthority
from runcycles_demos.authority.actions import DOLLARS, READ
from runcycles_demos.authority.asking import Questions
from runcycles_demos.authority.guard import guarded
from runcycles_demos.authority.job import Job
from runcycles_demos.kit.overhearing import Heard


def read_job(ran: list[str], **budgets: Any) -> Job:
    def read_case(case_id: str) -> str:
        ran.append(case_id)
        return "a case"

    return Job(
        task="read it",
        run_id="run-1",
        model_url="",
        tools=(read_case,),
        client=CyclesClient(authority=InMemoryAuthority(tenant="acme", **budgets)),
        prices=DOLLARS,
        on_authority_down="stop",
    )


def test_reading_is_asked_for_and_holds_nothing() -> None:
    ran: list[str] = []
    (read,) = guarded(read_job(ran, budgets={"tenant:acme": usd(0)}))
    assert read("4782") == "a case"
    assert ran == ["4782"]


def test_reading_that_nobody_permits_is_not_done() -> None:
    ran: list[str] = []
    (read,) = guarded(read_job(ran, budgets={}))
    said = read("4782")
    assert said.startswith("The tool read_case did not run: BUDGET_NOT_FOUND: ")
    assert ran == []


def heard(op: Any, answer: object) -> list[dict[str, Any]]:
    told: list[dict[str, Any]] = []
    Questions(lambda kind, _, /, **facts: told.append({"kind": kind, **facts})).hear(
        Heard(op=op, answer=answer, asked_at=1.0, answered_at=1.5)
    )
    return told


def asked_for(name: str) -> Decide:
    return Decide(
        idempotency_key="k",
        subject=Subject(tenant="acme", dimensions={"run_id": "run-1"}),
        action=Action(kind="crm.record.read", name=name),
        estimate=usd(0),
    )


def test_a_denial_is_told_with_the_words_of_the_answer() -> None:
    (told,) = heard(asked_for(READ), Denied(reason_code="BUDGET_FROZEN", request_id="r"))
    assert (told["op"], told["allowed"], told["code"]) == ("decide", False, "BUDGET_FROZEN")
    assert (told["request_id"], told["run_id"], told["ms"]) == ("r", "run-1", 500)


def test_questions_about_anything_but_tools_are_not_told() -> None:
    assert heard(asked_for("gpt-4o"), Denied(reason_code="BUDGET_FROZEN")) == []

"""The few ways in which a check says what must be."""

from collections.abc import Iterable
from typing import Any

from runcycles_server.conformance.client import Answer, ViolationError


def expect(holds: bool, sentence: str) -> None:
    """Say what is wrong unless it holds.

    Raises:
        ViolationError: with the sentence.
    """
    if not holds:
        raise ViolationError(sentence)


def same(found: Any, wanted: Any, what: str) -> None:
    """Two values that must be equal."""
    expect(found == wanted, f"{what}: expected {wanted!r}, found {found!r}")


def done(answer: Answer, status: int = 200) -> Answer:
    """An answer that must be a success."""
    expect(answer.status == status, f"expected {status}, the answer is {told(answer)}")
    return answer


def refused(answer: Answer, status: int, code: str) -> Answer:
    """An answer that must be this refusal."""
    expect(
        (answer.status, answer.code) == (status, code),
        f"expected {status} {code}, the answer is {told(answer)}",
    )
    return answer


def denied(answer: Answer, reason: str | None = None) -> Answer:
    """An evaluation that must say no, and with this reason where one is given."""
    done(answer)
    same(answer["decision"], "DENY", "decision")
    if reason is not None:
        same(answer["reason_code"], reason, "reason_code")
    return answer


def all_refused(answers: Iterable[Answer], status: int, code: str) -> None:
    """Answers that must all be this refusal."""
    for answer in answers:
        refused(answer, status, code)


def told(answer: Answer) -> str:
    """Status and code in a few words."""
    return f"{answer.status} {answer.code or ''}".strip()

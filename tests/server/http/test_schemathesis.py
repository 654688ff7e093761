"""Everything that the published document allows, asked of a real server in any order.

Schemathesis makes the questions from the document's schemas and follows its links, so that what one
answer names is reserved, extended, committed or released by the next question.
"""

from collections import Counter
from contextlib import ExitStack
from http.client import INTERNAL_SERVER_ERROR
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test
from schemathesis.core.transport import Response
from schemathesis.specs.openapi.checks import (
    negative_data_rejection,
    positive_data_acceptance,
)

from tests.support.contract import DOCUMENT
from tests.support.served import ADMIN_KEY, served

Case = schemathesis.Case[Any]

STEPS = 12
ENOUGH = 10**15
ACTION = {"kind": "llm.completion", "name": "gpt-4o"}
SETTLING = {"commitReservation", "releaseReservation", "extendReservation", "getReservation"}


def make_answerable(case: Case, tenant: str) -> None:
    """Make a question about anybody's money one about that of the tenant who asks."""
    body: Any = case.body
    is_meant_wrong = case.meta is not None and case.meta.generation.mode.is_negative
    if is_meant_wrong or not isinstance(body, dict):
        return
    if isinstance(body.get("subject"), dict):
        body["subject"] = {"tenant": tenant}
        body["action"] = ACTION
    for name in ("estimate", "actual", "additional"):
        if isinstance(body.get(name), dict):
            body[name]["unit"] = "TOKENS"
    if case.headers:
        case.headers.pop("X-Idempotency-Key", None)


def has_null(value: Any) -> bool:
    """Whether a value holds null anywhere."""
    if isinstance(value, dict | list):
        return any(map(has_null, value.values() if isinstance(value, dict) else value))
    return value is None


@pytest.mark.parametrize(("plane", "runs"), [("Runtime", 30), ("Governance", 20)])
def test_no_question_that_the_document_allows_is_answered_otherwise_than_it_says(
    plane: str, runs: int
) -> None:
    answered: Counter[tuple[str, int]] = Counter()
    machine: Any = schemathesis.openapi.from_dict(DOCUMENT).include(tag=plane).as_state_machine()

    class Client(machine):  # type: ignore[misc]  # a class made at run time has no type
        """A tenant who is the operator too, on a server where nothing has happened yet."""

        def setup(self) -> None:
            self.until_the_end = ExitStack()
            server = self.until_the_end.enter_context(served())
            self.base_url, self.tenant = server.base_url, server.tenant(allocated=ENOUGH)
            key = server.key_of(self.tenant)
            self.headers = {"X-Cycles-API-Key": key, "X-Admin-API-Key": ADMIN_KEY}

        def teardown(self) -> None:
            self.until_the_end.close()

        def get_call_kwargs(self, case: Case) -> dict[str, Any]:
            return {"base_url": self.base_url, "headers": self.headers}

        def before_call(self, case: Case) -> None:
            make_answerable(case, self.tenant)

        def validate_response(self, response: Response, case: Case, **_: Any) -> None:
            # what a schema allows may still be refused: a scope of nobody, an unknown kind
            passed_over: list[Any] = [positive_data_acceptance]
            if has_null(case.body):  # which is read as if it were absent
                passed_over.append(negative_data_rejection)
            case.validate_response(response, excluded_checks=passed_over)
            operation = case.operation.definition.raw["operationId"]
            answered[operation, response.status_code] += 1

    run_state_machine_as_test(
        Client,
        settings=settings(
            max_examples=runs,
            stateful_step_count=STEPS,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
    assert answered
    assert not [status for _, status in answered if status >= INTERNAL_SERVER_ERROR]
    if plane == "Runtime":
        assert answered["createReservation", 200]
        assert [operation for operation in SETTLING if answered[operation, 200]]

"""Emergency stops as operators make, find and lift them."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from runcycles.errors import ErrorCode
from runcycles.ledger.policies import MAX_STOPS, STOPS_KEY, Stop, Stops
from runcycles.ledger.state import Snapshot
from runcycles.ops import Refused
from runcycles_server.governance.stops import rules
from tests.server.http.conftest import Acme
from tests.support.served import Served

PATH = "/v1/x-runcycles/stops"
WHY = {"reason": "why"}


@pytest.fixture
def admin(server: Served) -> Iterator[httpx.Client]:
    """The operator; whatever is stopped in a test goes on after it."""
    with server.admin() as client:
        yield client
    server.put(Stops())


def stopped(admin: httpx.Client, target: str, reason: str = "it mails the wrong people") -> Any:
    answer = admin.post(PATH, json={"target": target, "reason": reason})
    assert answer.status_code == 201, answer.text
    return answer.json()


def test_a_stop_says_what_why_who_and_when(acme: Acme, admin: httpx.Client) -> None:
    scope = f"tenant:{acme.tenant}/agent:Writer"
    made = stopped(admin, scope)
    assert admin.get(PATH).json() == {"stops": [made]}
    assert made.pop("stop_id").startswith("stop_")
    assert made.pop("stopped_at")
    assert made == {
        "target": scope.lower(),
        "reason": "it mails the wrong people",
        "stopped_by": "admin",
    }


def test_a_target_is_stopped_once_and_the_refusal_names_the_stop(
    acme: Acme, admin: httpx.Client
) -> None:
    target = f"tenant:{acme.tenant}"
    made = stopped(admin, target)
    again = admin.post(PATH, json={"target": target.upper().replace("TENANT", "tenant"), **WHY})
    assert (again.status_code, again.json()["error"]) == (409, "DUPLICATE_RESOURCE")
    assert made["stop_id"] in again.json()["message"]
    below = stopped(admin, f"{target}/agent:bot")
    every = stopped(admin, "*")
    assert admin.get(PATH).json() == {"stops": [made, below, every]}


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"target": "", **WHY}, "target"),
        ({"target": "acme", **WHY}, "target"),
        ({"target": "agent:bot", **WHY}, "target"),
        ({"target": "tenant:acme/*", **WHY}, "target"),
        ({"target": "tenant:*", **WHY}, "target"),
        ({"target": "**", **WHY}, "target"),
        ({"target": "*"}, "reason"),
        ({"target": "*", "reason": ""}, "reason"),
        ({"target": "*", "reason": "x" * 513}, "reason"),
        ({"target": "*", "stopped_by": "me", **WHY}, "stopped_by"),
    ],
)
def test_a_wrong_stop_stops_nothing(admin: httpx.Client, body: dict[str, str], field: str) -> None:
    answer = admin.post(PATH, json=body)
    assert (answer.status_code, answer.json()["error"]) == (400, "INVALID_REQUEST")
    assert f"{field}: " in answer.json()["message"]
    assert admin.get(PATH).json() == {"stops": []}


@pytest.mark.parametrize("target", ["tenant:nobody", "tenant:nobody/agent:bot"])
def test_a_tenant_that_is_not_there_is_not_stopped(admin: httpx.Client, target: str) -> None:
    answer = admin.post(PATH, json={"target": target, **WHY})
    assert (answer.status_code, answer.json()["error"]) == (404, "TENANT_NOT_FOUND")
    assert admin.get(PATH).json() == {"stops": []}


def test_a_stop_is_lifted_once(acme: Acme, admin: httpx.Client) -> None:
    made = stopped(admin, f"tenant:{acme.tenant}")
    other = stopped(admin, "*")
    path = f"{PATH}/{made['stop_id']}"
    assert admin.delete(path).json() == made
    again = admin.delete(path)
    assert (again.status_code, again.json()["error"]) == (404, "NOT_FOUND")
    assert made["stop_id"] in again.json()["message"]
    assert admin.get(PATH).json() == {"stops": [other]}


def test_so_many_stops_hold_at_most(server: Served, admin: httpx.Client) -> None:
    held = tuple(
        Stop(stop_id=f"stop_{n}", target=f"t{n}", reason="r", stopped_by="admin", stopped_at_ms=0)
        for n in range(MAX_STOPS)
    )
    server.put(Stops(stops=held))
    answer = admin.post(PATH, json={"target": "*", **WHY})
    assert (answer.status_code, answer.json()["error"]) == (400, "INVALID_REQUEST")
    assert len(server.run(server.store.get(STOPS_KEY)).stops) == MAX_STOPS


def test_of_two_that_lift_at_once_the_second_hears_that_it_was_lifted() -> None:
    lifted = rules.lift(Snapshot(0, {STOPS_KEY: None}), "stop_1").reply
    assert isinstance(lifted, Refused)
    assert lifted.code is ErrorCode.NOT_FOUND

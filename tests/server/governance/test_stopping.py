"""What an emergency stop does to agents: nothing begins, and what was begun may end."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from runcycles.ledger.policies import Stops
from runcycles.ledger.state import Account, Budget, Outcome
from runcycles.types import Unit
from tests.server.http.conftest import Acme
from tests.support.served import Served, served

PATH = "/v1/x-runcycles/stops"
BUDGETS = 10_000


@pytest.fixture
def admin(server: Served) -> Iterator[httpx.Client]:
    """The operator; whatever is stopped in a test goes on after it."""
    with server.admin() as client:
        yield client
    server.put(Stops())


def stop(admin: httpx.Client, target: str) -> str:
    answer = admin.post(PATH, json={"target": target, "reason": "wrong people get mail"})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["stop_id"])


def ask(acme: Acme, path: str, key: str, **body: Any) -> httpx.Response:
    spends = path == "/v1/events"
    question = acme.spend(key, 1, **body) if spends else acme.question(key, 1, **body)
    return acme.client.post(path, json=question)


def is_refused(answer: httpx.Response) -> bool:
    return (answer.status_code, answer.json().get("error")) == (409, "BUDGET_FROZEN")


def test_after_a_stop_nothing_begins_and_every_refusal_names_it(
    acme: Acme, admin: httpx.Client
) -> None:
    target = f"tenant:{acme.tenant}"
    stop_id = stop(admin, target)
    before = acme.ledger()
    for path in ("/v1/reservations", "/v1/events"):
        answer = ask(acme, path, "k")
        assert is_refused(answer), answer.text
        for word in (stop_id, target, "wrong people get mail", "admin"):
            assert word in answer.json()["message"]
    dry = ask(acme, "/v1/reservations", "dry", dry_run=True).json()
    decided = ask(acme, "/v1/decide", "d").json()
    for said in (dry, decided):
        assert (said["decision"], said["reason_code"]) == ("DENY", "BUDGET_FROZEN")
    assert acme.ledger() == before


def test_what_was_begun_may_end(acme: Acme, admin: httpx.Client) -> None:
    first, second, third = (acme.held(key, 10) for key in "abc")
    stop(admin, "*")
    path = "/v1/reservations"
    extended = acme.client.post(
        f"{path}/{first}/extend", json={"idempotency_key": "x", "extend_by_ms": 1_000}
    )
    released = acme.client.post(f"{path}/{second}/release", json={"idempotency_key": "x"})
    answers = [extended, released, acme.commit(first), acme.commit(third, key="c3")]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 200]


def test_what_was_answered_before_is_answered_again(acme: Acme, admin: httpx.Client) -> None:
    before = acme.reserve("once")
    stop(admin, "*")
    again = acme.reserve("once")
    assert again.status_code == 200
    assert again.json()["reservation_id"] == before.json()["reservation_id"]
    assert is_refused(acme.reserve("twice"))


def test_a_tenant_that_comes_later_is_stopped_too(acme: Acme, admin: httpx.Client) -> None:
    stop_id = stop(admin, "*")
    late = acme.server.tenant()
    with acme.server.client_of(late) as client:
        newcomer = Acme(late, client, acme.server)
        assert is_refused(newcomer.reserve("k"))
        assert admin.delete(f"{PATH}/{stop_id}").status_code == 200
        assert newcomer.reserve("k").status_code == 200


def test_a_scope_stops_with_all_below_it_and_nothing_beside_it(
    acme: Acme, admin: httpx.Client
) -> None:
    stop(admin, f"tenant:{acme.tenant}/agent:Bot")
    other = acme.server.tenant()
    stopped = [{"agent": "bot"}, {"agent": "BOT", "toolset": "mail"}]
    free: list[dict[str, str]] = [{}, {"agent": "bottle"}, {"app": "x", "agent": "bot"}]
    for levels in stopped:
        assert is_refused(acme.reserve(f"{levels}", 1, subject=acme.subject(**levels)))
    for levels in free:
        answer = acme.reserve(f"{levels}", 1, subject=acme.subject(**levels))
        assert answer.status_code == 200, answer.text
    with acme.server.client_of(other) as client:
        assert Acme(other, client, acme.server).reserve("k").status_code == 200


def test_who_names_no_tenant_is_stopped_with_its_own(acme: Acme, admin: httpx.Client) -> None:
    stop(admin, f"tenant:{acme.tenant}")
    assert is_refused(acme.reserve("k", subject={"agent": "bot"}))


def test_a_lifted_stop_leaves_the_others(acme: Acme, admin: httpx.Client) -> None:
    first, second = stop(admin, "*"), stop(admin, f"tenant:{acme.tenant}")
    admin.delete(f"{PATH}/{first}")
    refused = acme.reserve("k")
    assert is_refused(refused)
    assert second in refused.json()["message"]
    admin.delete(f"{PATH}/{second}")
    assert acme.reserve("k").status_code == 200


def test_ten_thousand_budgets_are_stopped_without_touching_one(tmp_path: Path) -> None:
    budget = Budget(ledger_id="", created_at_ms=0, updated_at_ms=0)
    with served(f"sqlite:///{tmp_path}/stops.db") as server, server.admin() as admin:
        tenant = server.tenant()
        accounts = tuple(
            Account(
                tenant=tenant,
                scope=f"tenant:{tenant}/agent:a{number}",
                unit=Unit.TOKENS,
                allocated=100,
                budget=budget,
            )
            for number in range(BUDGETS)
        )
        server.run(server.store.transact((), lambda _: Outcome(None, accounts)))
        with server.client_of(tenant) as client:
            acme = Acme(tenant, client, server)
            last = acme.subject(agent=f"a{BUDGETS - 1}")
            assert acme.reserve("before", 1, subject=last).status_code == 200
            stop(admin, "*")
            before = server.run(server.store.accounts(tenant))
            assert is_refused(acme.reserve("after", 1, subject=last))
            assert server.run(server.store.accounts(tenant)) == before

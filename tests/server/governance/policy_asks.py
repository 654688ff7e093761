"""How the tests of policies ask for them."""

from typing import Any

import httpx

from tests.server.http.conftest import Acme

PATH = "/v1/admin/policies"
MAIL = {"action_kind": "message.email.send", "max_calls": 3, "window": "per_run"}
OUTSIDE = {"risk_class": "external_side_effect", "max_calls": 50, "window": "per_hour_tumbling"}


def new(acme: Acme, name: str = "few mails", scope: str = "", **body: Any) -> dict[str, Any]:
    return {"name": name, "scope_pattern": f"tenant:{acme.tenant}{scope}", **body}


def made(acme: Acme, name: str = "few mails", scope: str = "", **body: Any) -> dict[str, Any]:
    answer = acme.client.post(PATH, json=new(acme, name, scope, **body))
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


def listed(client: httpx.Client, **query: Any) -> list[str]:
    answer = client.get(PATH, params=query)
    assert answer.status_code == 200, answer.text
    return [policy["name"] for policy in answer.json()["policies"]]

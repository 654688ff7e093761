"""Servers that have not everything: what they lack is not claimed, and never passed."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from runcycles_server.conformance import CHECKS, REQUIREMENTS, Profile, Requirement, Verdict
from runcycles_server.conformance.claims import Claims, find_claims
from runcycles_server.conformance.client import Caller, ViolationError
from runcycles_server.conformance.judging import judge_with
from runcycles_server.conformance.provisioning import (
    AdminProvisioner,
    FixtureProvisioner,
    FixturesError,
    Provisioner,
    plan,
    read_fixtures,
)
from runcycles_server.conformance.registry import Check, Topic
from runcycles_server.conformance.runner import run
from runcycles_server.conformance.setups import STRANGER
from runcycles_server.conformance.stand import Stand
from tests.conformance.rig import ADMIN_KEY, failures, judged, opened
from tests.conformance.tampering import Answered, Asked, Forward, Tampered


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def requirement(name: str = "RT-A-001") -> Requirement:
    return replace(REQUIREMENTS[0], id=name)


async def test_what_a_server_lacks_is_not_claimed() -> None:
    async def without(asked: Asked, forward: Forward) -> Answered:
        lacking = ("/v1/events", "/v1/action-kinds", "/v1/auth/introspect")
        if asked.path in lacking and "idempotency_key" not in asked.said:
            return await forward(replace(asked, path="/v1/nothing"))
        return await forward(asked)

    async with opened() as app:
        report = await judged(Tampered(app, without))
    assert failures(report) == {}
    skipped = [each for each in report.results if each.verdict is Verdict.NOT_CLAIMED]
    assert {each.requirement.profile for each in skipped} == set(Profile)
    of_the_runtime = {each.requirement.operation for each in skipped if each.requirement.id < "RT"}
    assert of_the_runtime == {None}
    assert {each.requirement.operation for each in skipped} == {None, "createEvent"}


async def test_without_an_operator_the_runtime_alone_is_claimed() -> None:
    async with opened() as app, _http(app) as http:
        caller = Caller(http, lambda _: None)
        claims = await find_claims(caller, tuple(Profile), governs=False)
        assert claims.profiles == [Profile.RUNTIME]
        claims = await find_claims(caller, [Profile.EXTENSION], governs=True)
        assert claims.profiles == [Profile.EXTENSION]


def _http(app: Any) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://judged")


async def _filled_in(provisioner: AdminProvisioner, checks: tuple[Check, ...]) -> dict[str, Any]:
    """The plan as somebody would fill it in by hand: with the tenants that he made."""
    filled: dict[str, Any] = plan(checks)
    for check in checks:
        stand = await provisioner.stand(check, lambda _: None)
        found = filled["stands"][check.requirement]
        _fill_in(found, stand)
        if "stranger" in found:
            _fill_in(found["stranger"], stand.stranger)
    return filled


def _fill_in(found: dict[str, Any], stand: Stand) -> None:
    found["tenant_id"] = stand.tenant
    found["keys"] = {name: {"key_secret": secret} for name, secret in stand.keys.items()}


async def test_ready_made_tenants_serve_as_well(tmp_path: Path) -> None:
    runtime = {each.id for each in REQUIREMENTS if each.profile is Profile.RUNTIME}
    checks = tuple(
        each for each in CHECKS if isinstance(each, Check) and each.requirement in runtime
    )
    path = tmp_path / "fixtures.json"
    async with opened() as app, _http(app) as http:
        made = await _filled_in(AdminProvisioner(http, http, ADMIN_KEY), checks)
        path.write_text(json.dumps(made), encoding="utf-8")
        provisioner = FixtureProvisioner(http, read_fixtures(path))
        report = await judge_with(http, provisioner, tuple(Profile), lambda _: lambda _: None)
    assert failures(report) == {}
    assert report.count(Verdict.PASSED) == len(runtime)
    assert report.conforms


@pytest.mark.parametrize(
    ("content", "named"),
    [
        ("{", "filled-in plan"),
        ("[]", "filled-in plan"),
        ('{"stands": {"RT-A-001": {"tenant_id": "a"}}}', "keys"),
        ('{"stands": {"RT-A-001": {"tenant_id": "a", "keys": {"main": {}}}}}', "key_secret"),
        (None, "cannot be read"),
    ],
)
def test_a_file_that_does_not_serve_says_why(
    tmp_path: Path, content: str | None, named: str
) -> None:
    path = tmp_path / "fixtures.json"
    if content is not None:
        path.write_text(content, encoding="utf-8")
    with pytest.raises(FixturesError, match=named):
        read_fixtures(path)


async def test_a_check_without_a_fixture_fails() -> None:
    async with httpx.AsyncClient() as http:
        provisioner = FixtureProvisioner(http, {})
        with pytest.raises(ViolationError, match=CHECKS[0].requirement):
            await provisioner.stand(_a_check(), lambda _: None)


def _a_check() -> Check:
    return next(each for each in CHECKS if isinstance(each, Check))


# ── a code that ours does not need ──────────────────────────────────────────────────────────────


async def debt_called(code: str, *, is_marked: bool) -> None:
    """Judge a server that calls debt without a limit so, and marks its scope or does not."""

    async def tamper(asked: Asked, forward: Forward) -> Answered:
        answer = await forward(asked)
        if asked.is_reserve and answer.refuses("OVERDRAFT_LIMIT_EXCEEDED"):
            return answer.saying({**answer.said, "error": code})
        if asked.path == "/v1/balances" and not is_marked:
            rows = [{**row, "is_over_limit": False} for row in answer.said["balances"]]
            return answer.saying({**answer.said, "balances": rows})
        return answer

    check = next(each for each in CHECKS if each.requirement == "GC-BUDGET-017")
    assert isinstance(check, Check)
    async with opened() as app, _http(Tampered(app, tamper)) as http:
        await check.run(await AdminProvisioner(http, http, ADMIN_KEY).stand(check, lambda _: None))


async def test_debt_without_a_limit_may_have_the_code_of_its_own() -> None:
    await debt_called("DEBT_OUTSTANDING", is_marked=False)


@pytest.mark.parametrize(
    ("code", "is_marked"), [("DEBT_OUTSTANDING", True), ("BUDGET_EXCEEDED", False)]
)
async def test_debt_by_another_name_is_noticed(code: str, *, is_marked: bool) -> None:
    with pytest.raises(ViolationError, match=f"the answer is 409 {code}"):
        await debt_called(code, is_marked=is_marked)


# ── checks that go wrong ────────────────────────────────────────────────────────────────────────


class Nowhere:
    """Gives stands on a server that answers as it is told."""

    governs = True

    def __init__(self, answer: Callable[[httpx.Request], httpx.Response]) -> None:
        self._http = httpx.AsyncClient(
            transport=httpx.MockTransport(answer), base_url="http://nowhere"
        )

    async def stand(self, check: Check, heard: Any) -> Stand:
        caller = Caller(self._http, heard)
        return Stand(caller, "nobody", {"main": "key"}, operator=caller)

    async def clear(self) -> None:
        await self._http.aclose()


async def _why(provisioner: Provisioner, topic: Topic) -> str:
    claims = Claims([Profile.RUNTIME], [])
    found = await run(topic.checks, [requirement()], provisioner, claims)
    await provisioner.clear()
    (result,) = found.results
    assert result.verdict is Verdict.FAILED
    return result.why


def _asking() -> Topic:
    topic = Topic()

    @topic.check("RT-A-001")
    async def asks(stand: Stand) -> None:
        assert (await stand.get("/x"))["a"]["b"] == 1

    return topic


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"no JSON", "not JSON"),
        (b'{"a": NaN}', "not JSON"),
        (b"[]", "the answer has no a"),
        (b'{"a": []}', "another shape"),
    ],
)
async def test_a_strange_answer_fails_the_check_that_met_it(body: bytes, why: str) -> None:
    provisioner = Nowhere(lambda _: httpx.Response(200, content=body))
    assert why in await _why(provisioner, _asking())


async def test_a_server_that_hangs_up_fails_the_check_that_met_it() -> None:
    def hang_up(request: httpx.Request) -> httpx.Response:
        raise httpx.ReadError("hung up", request=request)

    assert "was not answered: hung up" in await _why(Nowhere(hang_up), _asking())


async def test_a_watch_that_saw_nothing_is_not_passed() -> None:
    topic = Topic()
    topic.watch("RT-A-001")(lambda _: None)
    provisioner = Nowhere(lambda _: httpx.Response(200))
    assert await _why(provisioner, topic) == "no answer of this kind came"


async def test_a_server_that_makes_no_tenants_is_told_so() -> None:
    app = httpx.MockTransport(lambda _: httpx.Response(500, json={"error": "INTERNAL_ERROR"}))
    async with httpx.AsyncClient(transport=app, base_url="http://nowhere") as http:
        with pytest.raises(ViolationError, match="could not be set up: POST /v1/admin/tenants"):
            await AdminProvisioner(http, http, "k").stand(_a_check(), lambda _: None)


def test_the_plan_says_what_each_check_stands_on() -> None:
    async def run_it(stand: Stand) -> None: ...

    check = Check(requirement="RT-A-001", run=run_it, setup=STRANGER)
    (stand,) = plan((check,))["stands"].values()
    assert stand["tenant_id"] == "conformance-rt-a-001"
    assert stand["budgets"] == [
        {
            "scope": "tenant:conformance-rt-a-001",
            "unit": "TOKENS",
            "allocated": {"unit": "TOKENS", "amount": 1_000},
            "frozen": False,
        }
    ]
    assert stand["keys"] == {"main": {}}
    assert stand["stranger"]["tenant_id"] == "conformance-rt-a-001-stranger"


# ── events and webhooks, which our server does not have yet ─────────────────────────────────────

EVENT = {
    "event_id": "evt_1",
    "event_type": "budget.created",
    "category": "budget",
    "timestamp": "2026-01-01T00:00:00Z",
    "source": "test",
}


async def _with_events(**changes: Any) -> dict[str, str]:
    """What fails on our app with something that looks like events in front of it."""

    async def tamper(asked: Asked, forward: Forward) -> Answered:
        path, query = asked.path, dict(httpx.QueryParams(asked.query))
        plain = await forward(replace(asked, path="/v1/nothing"))
        if path == "/v1/admin/events":
            row = {**EVENT, "tenant_id": query.get("tenant_id"), **changes}
            return plain.saying({"events": [row], "has_more": False}, 200)
        if path.startswith("/v1/admin/events/"):
            return plain.saying({**plain.said, "error": "EVENT_NOT_FOUND"})
        if path.startswith("/v1/admin/webhooks/"):
            return plain.saying({**plain.said, "error": "WEBHOOK_NOT_FOUND"})
        if (asked.method, path) == ("GET", "/v1/events"):
            return plain.saying({**plain.said, "error": "INSUFFICIENT_PERMISSIONS"}, 403)
        return await forward(asked)

    async with opened() as app, _http(Tampered(app, tamper)) as http:
        provisioner = AdminProvisioner(http, http, ADMIN_KEY)
        only = [Profile.EVENTS_WEBHOOKS]
        report = await judge_with(http, provisioner, only, lambda _: lambda _: None)
    assert report.count(Verdict.NOT_CLAIMED, Profile.EVENTS_WEBHOOKS) == 0
    return failures(report)


async def test_events_and_webhooks_are_checked_where_they_are_served() -> None:
    assert await _with_events() == {}
    assert set(await _with_events(tenant_id="another")) == {"EW-EVENT-001"}
    assert set(await _with_events(source="")) == {"EW-EVENT-001"}

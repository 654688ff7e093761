"""Our app, whole and in this process, and the kit that judges it over HTTP."""

import contextlib
from collections.abc import AsyncIterator

import httpx
from starlette.types import ASGIApp

from runcycles_server.authority import Authority
from runcycles_server.conformance import Level, Profile, Report
from runcycles_server.conformance.judging import judge_with
from runcycles_server.conformance.provisioning import AdminProvisioner
from runcycles_server.governance.admin_key import admin_key
from runcycles_server.governance.operator import Operator
from runcycles_server.http.app import App
from runcycles_server.http.auth import Gate
from runcycles_server.http.endpoint import Service
from runcycles_server.http.routes import ENDPOINTS
from runcycles_server.stores import open_store
from runcycles_server.stores.base import Store
from runcycles_server.sweeper import Sweeper

ADMIN_KEY = "the operator's own key"
SWEEP_S = 0.2
"""The sweeper of a server is in no hurry; a test is."""


def app_over(store: Store, digest: str | None) -> App:
    """Our app as a server has it."""
    service = Service(Authority(store), Operator(store))
    return App(ENDPOINTS, service, Gate(store, admin_digest=digest))


@contextlib.asynccontextmanager
async def opened(url: str = "memory:") -> AsyncIterator[App]:
    """Our app over a store of its own, swept often."""
    store = open_store(url)
    await store.start()
    try:
        key = await admin_key(store, ADMIN_KEY)
        sweeper = Sweeper(store, interval_s=SWEEP_S)
        sweeper.start()
        try:
            yield app_over(store, key.digest)
        finally:
            await sweeper.stop()
    finally:
        await store.close()


class Leaving(AdminProvisioner):
    """Leaves its tenants where they are: the store goes with the test."""

    async def clear(self) -> None:
        pass


async def judged(app: ASGIApp) -> Report:
    """What the kit finds out about an app."""
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://judged") as http:
        provisioner = Leaving(http, http, ADMIN_KEY)
        return await judge_with(http, provisioner, tuple(Profile), lambda _: lambda _: None)


def failures(report: Report) -> dict[str, str]:
    """What failed, and why."""
    return {result.requirement.id: result.why for level in Level for result in report.failed(level)}

"""One whole judgement of a server: reach it, see what it claims, check that, clean up."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import httpx

from runcycles_server.conformance.checks import CHECKS
from runcycles_server.conformance.claims import find_claims
from runcycles_server.conformance.client import TIMEOUT_S, Caller
from runcycles_server.conformance.provisioning import (
    AdminProvisioner,
    FixtureProvisioner,
    Provisioner,
    read_fixtures,
)
from runcycles_server.conformance.registry import Check
from runcycles_server.conformance.requirements import REQUIREMENTS, Profile
from runcycles_server.conformance.runner import Report, run

LIMITS: Final = httpx.Limits(max_connections=None, max_keepalive_connections=64)
"""The checks that race want a connection for each runner."""

OnResult = Callable[[str], None]


class TargetError(Exception):
    """There is no such server to reach; the sentence says what is wrong with its address."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A server, and how the kit gets its tenants: with the admin key, or from a file."""

    base_url: str
    admin_url: str | None = None
    admin_key: str | None = None
    fixtures: Path | None = None


async def judge(
    target: Target, profiles: Collection[Profile], on_start: Callable[[int], OnResult]
) -> Report:
    """Check what the server claims of these profiles.

    `on_start` is told how many checks there are, and says whom to tell of each that is done.

    Raises:
        TargetError, FixturesError: what was given cannot be used.
        ViolationError: the server does not answer at all.
    """
    async with _http(target.base_url) as http, _http(target.admin_url or target.base_url) as admin:
        provisioner: Provisioner
        if target.fixtures is not None:
            provisioner = FixtureProvisioner(http, read_fixtures(target.fixtures))
        else:
            provisioner = AdminProvisioner(http, admin, target.admin_key or "")
        return await judge_with(http, provisioner, profiles, on_start)


async def judge_with(
    http: httpx.AsyncClient,
    provisioner: Provisioner,
    profiles: Collection[Profile],
    on_start: Callable[[int], OnResult],
) -> Report:
    """The same through a client that is there already."""
    caller = Caller(http, lambda _: None)
    claims = await find_claims(caller, profiles, governs=provisioner.governs)
    covered = {each.id for each in REQUIREMENTS if claims.covers(each)}
    count = sum(isinstance(each, Check) and each.requirement in covered for each in CHECKS)
    try:
        return await run(CHECKS, REQUIREMENTS, provisioner, claims, on_result=on_start(count))
    finally:
        await provisioner.clear()


def _http(base_url: str) -> httpx.AsyncClient:
    try:
        parts = urlsplit(base_url)
        url = httpx.URL(base_url)
    except (ValueError, httpx.InvalidURL) as wrong:
        raise TargetError(f"{base_url!r} is no URL: {wrong}") from wrong
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise TargetError(f"{base_url!r} does not say where a server is; write http://…")
    return httpx.AsyncClient(base_url=url, timeout=TIMEOUT_S, limits=LIMITS)

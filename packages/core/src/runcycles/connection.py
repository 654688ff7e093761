"""One client's way to its authority: opened when first used, shared by both kinds of client.

A sync and an async guard made from one connection have the same settings, the same authority and
the same heartbeat, so it does not matter which kind of client a program was given.
"""

import os
from collections.abc import Mapping
from dataclasses import replace
from operator import attrgetter
from threading import RLock
from typing import Final, cast

from tenacity import stop_after_attempt, wait_exponential

from runcycles.config import CyclesConfig, Mode
from runcycles.errors import ConfigurationError
from runcycles.flows import Retries
from runcycles.heartbeat import Heartbeat
from runcycles.scopes import LEVELS
from runcycles.transports import AsyncTransport, LocalAuthority, Transport
from runcycles.types import Subject

AUTHORITIES: Final = "runcycles.authorities"
"""The entry-point group of authorities that run in the caller's process."""
_levels_of: Final = attrgetter(*LEVELS)
LOCAL_TIMEOUT: Final = 1.0
"""Seconds that a question to an authority in this process is given by the heartbeat."""


class Connection:
    """Settings, transports and heartbeat of a client.

    Raises:
        ConfigurationError: where there is neither a config nor an authority, or where the config
            wants an authority in this process and none is installed.
    """

    def __init__(
        self, config: CyclesConfig | None = None, authority: LocalAuthority | None = None
    ) -> None:
        if config is None:
            if authority is None:
                raise ConfigurationError(
                    "a client needs a config, e.g. CyclesConfig.from_env(), or an authority"
                )
            config = CyclesConfig(base_url="embedded:")
        elif authority is None and config.is_embedded:
            authority = _embedded(config.base_url)
        self.config = config
        self.authority = authority
        self.is_shadow = config.mode is Mode.SHADOW
        self.retries = _retries(config)
        self.request_timeout = LOCAL_TIMEOUT if authority else config.request_timeout
        self._subject = config.subject
        if authority is not None and self._subject.tenant is None:
            self._subject = replace(self._subject, tenant=authority.tenant)
        self._lock = RLock()
        self._start_over()

    def _start_over(self) -> None:
        self._pid = os.getpid()
        self._sync: Transport | None = None
        self._async: AsyncTransport | None = None
        self.heartbeat = Heartbeat(lambda: self.transport)

    @property
    def transport(self) -> Transport:
        """What sync code asks through."""
        self._check_process()
        return self._sync or self._open_sync()

    @property
    def async_transport(self) -> AsyncTransport:
        """What async code asks through."""
        self._check_process()
        return self._async or self._open_async()

    def subject_of(
        self, given: Subject | None = None, dimensions: Mapping[str, str] | None = None
    ) -> Subject:
        """Who spends: what was given, and level by level the defaults where it says nothing.

        Raises:
            ConfigurationError: where that is nobody.
        """
        subject = self._subject
        if given is not None or dimensions:
            subject = self._completed(given or subject, dimensions or {})
        if not (subject.tenant or any(_levels_of(subject))):
            raise ConfigurationError(
                f"nobody to charge: give a subject, or set one of {', '.join(LEVELS)} in the config"
            )
        return subject

    def _completed(self, given: Subject, dimensions: Mapping[str, str]) -> Subject:
        said = _levels_of(given)
        pairs = zip(said, _levels_of(self._subject), strict=True)
        levels = tuple([level or default or level for level, default in pairs])
        if levels == said and not dimensions:
            return given
        return Subject(
            **dict(zip(LEVELS, levels, strict=True)),
            dimensions={**(given.dimensions or {}), **dimensions} or given.dimensions,
        )

    def close(self) -> None:
        """Stop the heartbeat and close what sync code opened."""
        self.heartbeat.close()
        if self._sync is not None:
            self._sync.close()

    async def aclose(self) -> None:
        """Close everything that this event loop or sync code opened."""
        if self._async is not None:
            await self._async.aclose()
        self.close()

    def _check_process(self) -> None:
        """A forked child shares neither connections nor threads with its parent."""
        if self._pid != os.getpid():
            self._start_over()

    def _open_sync(self) -> Transport:
        with self._lock:
            if self._sync is None:
                self._sync = self.authority.transport() if self.authority else _http(self.config)
            return self._sync

    def _open_async(self) -> AsyncTransport:
        with self._lock:
            if self._async is None:
                self._async = (
                    self.authority.async_transport() if self.authority else _async_http(self.config)
                )
            return self._async


def _retries(config: CyclesConfig) -> Retries:
    return Retries(
        stop=stop_after_attempt(config.retry_max_attempts),
        wait=wait_exponential(
            multiplier=config.retry_initial_delay,
            exp_base=config.retry_multiplier,
            max=config.retry_max_delay,
        ),
        asks_again=config.retry_enabled,
    )


def _http(config: CyclesConfig) -> Transport:
    from runcycles.transports.http import HTTPTransport  # noqa: PLC0415 - httpx is slow to import

    return HTTPTransport(config)


def _async_http(config: CyclesConfig) -> AsyncTransport:
    from runcycles.transports.http import (  # noqa: PLC0415 - httpx is slow to import
        AsyncHTTPTransport,
    )

    return AsyncHTTPTransport(config)


def _embedded(url: str) -> LocalAuthority:
    """The authority of an `embedded:` URL, which another distribution provides."""
    from importlib.metadata import entry_points  # noqa: PLC0415 - slow to import

    for entry in entry_points(group=AUTHORITIES, name="embedded"):
        return cast("LocalAuthority", entry.load()(url))
    raise ConfigurationError(
        f"{url} is an authority inside this process, which is not installed: "
        "pip install runcycles-server"
    )

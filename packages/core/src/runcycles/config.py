"""How a client reaches its authority and how patient it is; every value checked at construction.

A wrong setting should be found when a program starts, not when its first commit fails, so nothing
here is checked later.
"""

import math
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import Any, Final, Self
from urllib.parse import urlsplit

from runcycles.errors import ConfigurationError
from runcycles.scopes import LEVELS
from runcycles.settlement import OnError
from runcycles.types import Subject

HTTP_SCHEMES: Final = ("http", "https")
EMBEDDED_SCHEME: Final = "embedded"

MAX_SCOPE_LENGTH: Final = 128
_SCOPE: Final = re.compile(rf"[a-zA-Z0-9_.-]{{1,{MAX_SCOPE_LENGTH}}}")
TRUE: Final = frozenset({"1", "yes", "true", "on"})
FALSE: Final = frozenset({"0", "no", "false", "off"})


class Mode(StrEnum):
    """Whether a denial stops the call, or is only logged."""

    ENFORCE = "enforce"
    SHADOW = "shadow"


@dataclass(frozen=True, slots=True, kw_only=True)
class CyclesConfig:
    """Settings of a client. The README has one row for each.

    Raises:
        ConfigurationError: naming the setting that is missing or wrong.
    """

    base_url: str
    api_key: str | None = field(default=None, repr=False)
    tenant: str | None = None
    workspace: str | None = None
    app: str | None = None
    workflow: str | None = None
    agent: str | None = None
    toolset: str | None = None
    mode: Mode = Mode.ENFORCE
    on_error: OnError = OnError.RELEASE
    connect_timeout: float = 2.0
    read_timeout: float = 5.0
    settle_timeout: float = 30.0
    max_connections: int = 100
    retry_enabled: bool = True
    retry_max_attempts: int = 5
    retry_initial_delay: float = 0.5
    retry_multiplier: float = 2.0
    retry_max_delay: float = 30.0

    def __post_init__(self) -> None:
        given = {setting.name: getattr(self, setting.name) for setting in fields(self)}
        for name, value in _checked(given, str).items():
            object.__setattr__(self, name, value)

    @classmethod
    def from_env(cls, prefix: str = "CYCLES_") -> Self:
        """The settings in the environment: `CYCLES_BASE_URL`, `CYCLES_API_KEY` and so on.

        An empty variable counts as unset; `1`, `yes`, `true`, `on` and their opposites are read
        in any case.

        Raises:
            ConfigurationError: naming the variable that is missing or wrong.
        """
        given: dict[str, Any] = {}
        for setting in fields(cls):
            text = os.environ.get(prefix + setting.name.upper(), "").strip()
            if text:
                given[setting.name] = _parsed(text, setting.name, prefix)
        return cls(**_checked({"base_url": "", **given}, lambda name: prefix + name.upper()))

    @property
    def is_embedded(self) -> bool:
        """Whether the authority runs inside this process, and needs no key."""
        return urlsplit(self.base_url).scheme == EMBEDDED_SCHEME

    @property
    def subject(self) -> Subject:
        """Who spends, where a call does not say it."""
        return Subject(**{level: getattr(self, level) for level in LEVELS})

    @property
    def request_timeout(self) -> float:
        """The longest one HTTP request may take, in seconds: pool, connect, write and read."""
        return 3 * self.connect_timeout + self.read_timeout


def _parsed(text: str, name: str, prefix: str) -> Any:
    """The text of a variable as the type of its setting."""
    kind = _KINDS.get(name)
    try:
        if kind is bool:
            return _truth(text)
        return text if kind is None else kind(text)
    except ValueError:
        raise ConfigurationError(
            f"{prefix}{name.upper()} is {text!r}, which is not {_EXPECTED[kind]}"
        ) from None


def _truth(text: str) -> bool:
    if text.lower() in TRUE:
        return True
    if text.lower() in FALSE:
        return False
    raise ValueError(text)


_KINDS: Final[Mapping[str, Callable[[str], Any]]] = {
    "connect_timeout": float,
    "read_timeout": float,
    "settle_timeout": float,
    "max_connections": int,
    "retry_enabled": bool,
    "retry_max_attempts": int,
    "retry_initial_delay": float,
    "retry_multiplier": float,
    "retry_max_delay": float,
}
_EXPECTED: Final[Mapping[Any, str]] = {
    float: "a number",
    int: "a whole number",
    bool: "yes or no (1, true, on; 0, false, off)",
}


def _checked(given: Mapping[str, Any], label: Callable[[str], str]) -> dict[str, Any]:
    """The settings in their final form; `label` is how the reader knows a setting."""
    found = dict(given)
    _check_address(found, label)
    for level in LEVELS:
        _check_scope(found.get(level), label(level))
    for name, choices in (("mode", Mode), ("on_error", OnError)):
        if name in found:
            found[name] = _choice(found[name], choices, label(name))
    for name, kind in _KINDS.items():
        if name in found:
            _check_number(found[name], kind, label(name), least=_LEAST.get(name))
    return found


_LEAST: Final[Mapping[str, int]] = {
    "max_connections": 1,
    "retry_max_attempts": 1,
    "retry_initial_delay": 0,
    "retry_multiplier": 1,
    "retry_max_delay": 0,
}


def _check_address(found: Mapping[str, Any], label: Callable[[str], str]) -> None:
    url, key = found["base_url"], found.get("api_key")
    name = label("base_url")
    if not url:
        raise ConfigurationError(
            f"{name} is missing; set it to your server, e.g. http://localhost:7878, or to "
            "embedded:?tenant=demo&budget=5usd for an authority inside this process"
        )
    try:
        parts = urlsplit(url)
        is_whole = bool(parts.hostname) and parts.port != 0
    except (AttributeError, TypeError, ValueError):
        raise ConfigurationError(f"{name} is {url!r}, which is not a URL") from None
    if parts.scheme == EMBEDDED_SCHEME:
        return
    if parts.scheme not in HTTP_SCHEMES or not is_whole or " " in url or not url.isprintable():
        raise ConfigurationError(
            f"{name} is {url!r}; write http://host:port, https://host or embedded:"
        )
    if parts.username is not None or parts.query or parts.fragment:
        raise ConfigurationError(
            f"{name} takes scheme, host, port and path only; the key goes to {label('api_key')}"
        )
    if not key:
        raise ConfigurationError(
            f"{label('api_key')} is missing; {parts.scheme} servers ask for one"
        )
    if not isinstance(key, str) or not key.isascii() or not key.isprintable() or " " in key:
        raise ConfigurationError(f"{label('api_key')} holds characters that no key has")


def _check_scope(value: Any, name: str) -> None:
    if value is None:
        return
    if not isinstance(value, str) or not _SCOPE.fullmatch(value):
        raise ConfigurationError(
            f"{name} is {value!r}; give it 1 to {MAX_SCOPE_LENGTH} letters, digits, '_', '.' or "
            "'-', or leave it out"
        )


def _choice(value: Any, choices: type[StrEnum], name: str) -> StrEnum:
    try:
        return choices(value)
    except ValueError:
        raise ConfigurationError(
            f"{name} is {value!r}; choose one of {', '.join(choices)}"
        ) from None


def _check_number(value: Any, kind: Any, name: str, *, least: int | None) -> None:
    """A flag is a flag, a count is whole, and a time is longer than nothing and not for ever."""
    allowed = (int, float) if kind is float else kind
    if not isinstance(value, allowed) or isinstance(value, bool) != (kind is bool):
        raise ConfigurationError(f"{name} is {value!r}, which is not {_EXPECTED[kind]}")
    if kind is bool:
        return
    if not math.isfinite(value) or (value <= 0 if least is None else value < least):
        bound = "above 0" if least is None else f"at least {least}"
        raise ConfigurationError(f"{name} is {value!r}; it has to be finite and {bound}")

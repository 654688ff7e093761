"""What the entry points of this adapter have in common."""

from collections.abc import Mapping
from typing import Any, Final

from runcycles import ConfigurationError, default_client
from runcycles.calls import CallGuards
from runcycles.clients import BaseClient
from runcycles.default_client import AnyClient

Asked = AnyClient | CallGuards | None
"""Who is asked: a client, what was made of one, or the default client."""


def calls_of(asked: Asked, options: dict[str, Any]) -> CallGuards:
    """What opens the guards.

    Raises:
        ConfigurationError: where nobody can be asked, or for a wrong option.
    """
    if isinstance(asked, CallGuards):
        if options:
            raise ConfigurationError(f"give {', '.join(options)} to CallGuards, where it was made")
        return asked
    client = default_client() if asked is None else asked
    if not isinstance(client, BaseClient):
        raise ConfigurationError(f"{client!r} is not a client; give a CyclesClient")
    try:
        return CallGuards(client, **options)
    except TypeError as exc:
        raise ConfigurationError(f"{exc}; the options are those of CallGuards") from exc


class _Mark(str):
    __slots__ = ()


MARK: Final = {"cycles": _Mark("guarded")}
"""Metadata that tells callbacks of a call that it asks by itself; no equal text passes for it."""


def is_marked(metadata: Mapping[str, Any] | None) -> bool:
    """Whether a call asks by itself."""
    return (metadata or {}).get("cycles") is MARK["cycles"]

"""Who an adapter's entry points ask, whatever their caller gave them."""

from typing import Any

from runcycles.calls import CallGuards
from runcycles.clients import BaseClient
from runcycles.default_client import AnyClient, default_client
from runcycles.errors import ConfigurationError

Asked = AnyClient | CallGuards | None
"""Who is asked: a client, what was made of one, or the default client."""


def calls_of(asked: Asked, options: dict[str, Any]) -> CallGuards:
    """What opens the guards; `options` are those of `CallGuards`.

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

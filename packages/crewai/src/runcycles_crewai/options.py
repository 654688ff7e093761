"""What the entry points of this adapter have in common."""

from typing import Any

from crewai.utilities.string_utils import sanitize_tool_name

from runcycles import ConfigurationError, default_client
from runcycles.calls import CallGuards
from runcycles.clients import BaseClient
from runcycles.default_client import AnyClient

Asked = AnyClient | CallGuards | None
"""Who is asked: a client, what was made of one, or the default client."""


def calls_of(asked: Asked, options: dict[str, Any]) -> CallGuards:
    """What opens the guards. Tools may be mapped by the name they were given, or as CrewAI says it.

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
    if tools := options.get("tools"):
        options["tools"] = {sanitize_tool_name(name): action for name, action in tools.items()}
    try:
        return CallGuards(client, **options)
    except TypeError as exc:
        raise ConfigurationError(f"{exc}; the options are those of CallGuards") from exc

"""What the entry points of this adapter have in common."""

from typing import Any, Literal

from agents.tracing import get_current_trace

from runcycles import ConfigurationError, default_client
from runcycles.calls import CallGuards
from runcycles.clients import BaseClient
from runcycles.default_client import AnyClient

Asked = AnyClient | CallGuards | None
"""Who is asked: a client, what was made of one, or the default client."""
Refusal = Literal["stop", "tell_model"]
"""What a refused tool call becomes: the end of the run, or a result that the model reads."""


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


def run_id(context: Any = None) -> str | None:
    """The group, else the trace, of the running code; None where tracing is off and no group."""
    group = getattr(getattr(context, "run_config", None), "group_id", None)
    trace = get_current_trace()
    found = group or getattr(trace, "group_id", None) or getattr(trace, "trace_id", None)
    return None if found == "no-op" else found

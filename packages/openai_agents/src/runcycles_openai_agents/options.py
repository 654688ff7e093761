"""What the entry points of this adapter have in common."""

from typing import Any, Literal

from agents.tracing import get_current_trace

Refusal = Literal["stop", "tell_model"]
"""What a refused tool call becomes: the end of the run, or a result that the model reads."""


def run_id(context: Any = None) -> str | None:
    """The group, else the trace, of the running code; None where tracing is off and no group."""
    group = getattr(getattr(context, "run_config", None), "group_id", None)
    trace = get_current_trace()
    found = group or getattr(trace, "group_id", None) or getattr(trace, "trace_id", None)
    return None if found == "no-op" else found

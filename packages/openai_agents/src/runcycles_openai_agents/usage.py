"""What goes into a model call, and what came out of it, in the SDK's terms and in ours."""

import json
from typing import Any, Final

from agents import Model

from runcycles.calls import ModelRequest
from runcycles.pricing import ModelUsage, input_bound

TERMINAL: Final = frozenset({"response.completed", "response.incomplete", "response.failed"})
"""The events that end a stream; each carries the whole response."""
TOLD_OF_TOOLS: Final = ("name", "description", "params_json_schema")
TOLD_OF_HANDOFFS: Final = ("tool_name", "tool_description", "input_json_schema")
_written: Final = json.JSONEncoder(ensure_ascii=False, default=str).encode


def usage_of(used: Any) -> ModelUsage | None:
    """The usage of one call, the SDK's or the provider's; None where it says nothing."""
    tokens_in = getattr(used, "input_tokens", None) or 0
    tokens_out = getattr(used, "output_tokens", None) or 0
    if not tokens_in and not tokens_out:
        return None
    details = getattr(used, "input_tokens_details", None)
    return ModelUsage(
        input_tokens=tokens_in,
        output_tokens=tokens_out,
        cached_tokens=getattr(details, "cached_tokens", None) or 0,
        cache_write_tokens=getattr(details, "cache_write_tokens", None) or 0,
    )


def usage_in(event: Any) -> ModelUsage | None:
    """The usage in an event of a stream; only the last one has it."""
    return usage_of(getattr(getattr(event, "response", None), "usage", None))


def request_of(model: Model | str, asked: dict[str, Any]) -> ModelRequest:
    """A model call about to be made; `asked` is what the SDK hands to `Model.get_response`.

    Everything that is sent is counted. What the provider adds from its own memory (a stored
    conversation or prompt, the results of hosted tools) nobody knows before.
    """
    given = asked["input"]
    sent = [asked["system_instructions"] or "", *([given] if isinstance(given, str) else given)]
    sent += [[getattr(it, name, None) for name in TOLD_OF_TOOLS] for it in asked["tools"]]
    sent += [[getattr(it, name) for name in TOLD_OF_HANDOFFS] for it in asked.get("handoffs", ())]
    schema = asked.get("output_schema")
    if schema is not None and not schema.is_plain_text():
        sent.append(schema.json_schema())
    name = model if isinstance(model, str) else getattr(model, "model", None)
    return ModelRequest(
        model=str(name or type(model).__name__),
        input_tokens=input_bound(*map(_text, sent), messages=len(sent)),
        max_tokens=asked["model_settings"].max_tokens,
    )


def _text(value: Any) -> str:
    return value if isinstance(value, str) else _written(value)

"""What goes into a model call, and what came out of it, in CrewAI's terms and in ours."""

import json
from typing import Any, Final

from crewai.llms.base_llm import BaseLLM
from crewai.types.usage_metrics import UsageMetrics

from runcycles.calls import ModelRequest
from runcycles.pricing import ModelUsage, input_bound
from runcycles_crewai.limits import answers, own_limit

NAMELESS: Final = "unknown"
"""The model of an LLM that does not say which it is; it has a price only if it is given one."""


def usage_of(told: dict[str, Any] | None) -> ModelUsage | None:
    """The usage in an event, whichever provider wrote it; None where it says nothing."""
    used = UsageMetrics.from_provider_dict(told)
    if used is None or not (used.prompt_tokens or used.completion_tokens):
        return None
    return ModelUsage(
        input_tokens=used.prompt_tokens,
        output_tokens=used.completion_tokens,
        cached_tokens=used.cached_prompt_tokens,
        cache_write_tokens=used.cache_creation_tokens,
    )


def request_of(llm: BaseLLM, messages: Any, tools: Any) -> ModelRequest:
    """A call about to be made, as a question about its cost. Everything that is sent is counted."""
    said = [messages] if isinstance(messages, str) else messages or ()
    sent = [*said, *(tools or ())]
    limit = own_limit(llm)
    return ModelRequest(
        model=str(getattr(llm, "model", None) or NAMELESS),
        provider=getattr(llm, "provider", None),
        input_tokens=input_bound(*map(_text, sent), messages=len(sent)),
        max_tokens=None if limit is None else limit * answers(llm),
    )


def _text(value: Any) -> str:
    return value if isinstance(value, str) else _written(value)


def _schema(value: Any) -> str:
    """A tool that is still an object, as CrewAI describes it to a model."""
    return str(getattr(value, "formatted_description", value))


_written: Final = json.JSONEncoder(ensure_ascii=False, default=_schema).encode

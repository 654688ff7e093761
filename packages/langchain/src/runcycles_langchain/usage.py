"""What goes into a model call, and what came out of it, in LangChain's terms and in ours."""

import json
from collections.abc import Iterable, Mapping
from itertools import chain
from typing import Any, Final

from langchain_core.messages import BaseMessage
from langchain_core.messages.ai import UsageMetadata, add_usage
from langchain_core.outputs import Generation, LLMResult
from langchain_core.runnables.config import ensure_config

from runcycles.calls import BaseCall, ModelRequest
from runcycles.pricing import ModelUsage, input_bound

LIMITS: Final = (
    *("max_tokens", "max_completion_tokens", "max_output_tokens"),
    *("max_new_tokens", "num_predict"),
)
"""What providers call the output limit."""
SENT: Final = ("tools", "functions", "response_format", "instructions", "system")
"""Settings of a request that the model reads besides its messages."""
UNSENT: Final = {"id", "type", "response_metadata", "usage_metadata", "artifact"}
"""What of a message is not sent."""
ENDINGS: Final = ("finish_reason", "stop_reason", "done_reason")
"""Where providers write why the model stopped; until then, a stream has not told all its usage."""


def caller_of(metadata: Mapping[str, Any] | None) -> dict[str, str | None]:
    """The agent that calls and the run it is in, as metadata or the run's config tell them."""
    config = ensure_config()
    told = {**config.get("configurable", {}), **config.get("metadata", {}), **(metadata or {})}
    agent = told.get("lc_agent_name") or told.get("agent")
    run_id = told.get("run_id") or told.get("thread_id")
    return {"agent": str(agent) if agent else None, "run_id": str(run_id) if run_id else None}


def request_of(
    told: Mapping[str, Any], messages: Iterable[BaseMessage | str], settings: Mapping[str, Any]
) -> ModelRequest:
    """A call about to be made, as a question about its cost; `told` is what tracers are told.

    Everything that is sent is counted. What the provider adds from its own memory (a stored
    conversation, results of hosted tools) is not known before.
    """
    sent = [_text(each) for each in (*messages, *(settings.get(name) or "" for name in SENT))]
    given = [*map(settings.get, LIMITS), told.get("ls_max_tokens")]
    limit = next((each for each in given if isinstance(each, int) and each > 0), None)
    return ModelRequest(
        model=str(told.get("ls_model_name") or told.get("ls_provider") or "unknown"),
        provider=told.get("ls_provider"),
        max_tokens=limit and limit * answers(settings),
        input_tokens=input_bound(*sent, messages=len(sent) + len(settings.get("tools") or ())),
    )


def answers(settings: Mapping[str, Any]) -> int:
    """How many answers a request asks for; each may be as long as its limit."""
    wanted = settings.get("n")
    return wanted if isinstance(wanted, int) and wanted > 1 else 1


def _text(value: Any) -> str:
    if isinstance(value, BaseMessage):
        value = value.model_dump(exclude=UNSENT, exclude_defaults=True)
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=_json)


def _json(value: Any) -> Any:
    schema = getattr(value, "model_json_schema", None)
    return schema() if isinstance(value, type) and schema else str(value)


def usage_of(told: Any) -> ModelUsage | None:
    """The usage that a message tells; None where it says nothing."""
    counted = told if isinstance(told, Mapping) else {}
    used, answered = _count(counted, "input_tokens"), _count(counted, "output_tokens")
    if not used and not answered:
        return None
    details = counted.get("input_token_details") or {}
    return ModelUsage(
        input_tokens=used,
        output_tokens=answered,
        cached_tokens=_count(details, "cache_read"),
        cache_write_tokens=_count(details, "cache_creation", "input_tokens"),
    )


def _count(counted: Mapping[str, Any], *endings: str) -> int:
    """The tokens under names with these endings; some providers put a tier in front."""
    return sum(n for name, n in counted.items() if name.endswith(endings) and isinstance(n, int))


def usage_in(generations: Iterable[Generation]) -> ModelUsage | None:
    """The usage of a whole answer. Where it has several texts, each of them tells the sum."""
    found = [used for each in generations if (used := usage_of(_told(each)))]
    return max(found, key=lambda used: used.output_tokens, default=None)


def _told(part: Any) -> UsageMetadata | None:
    """What a generation's message, or the last of a provider's own events, says of usage."""
    if isinstance(part, Mapping):
        return part.get("usage") if is_last_event(part) else None
    return getattr(getattr(part, "message", None), "usage_metadata", None)


def is_last_event(part: Any) -> bool:
    """Whether this is the last of a provider's own events."""
    return isinstance(part, Mapping) and part.get("event") == "message-finish"


def is_last(part: Any) -> bool:
    """Whether the model says here that it stopped."""
    if isinstance(part, Mapping):
        return is_last_event(part)
    message = getattr(part, "message", None)
    said = {**getattr(message, "response_metadata", {}), **(part.generation_info or {})}
    return getattr(message, "chunk_position", None) == "last" or any(map(said.get, ENDINGS))


def usage_of_answer(answer: LLMResult) -> ModelUsage | None:
    """The usage that callbacks are told. A text model tells one sum, with its first prompt."""
    generations = list(chain.from_iterable(answer.generations))
    told = (answer.llm_output or {}).get("token_usage")
    if not isinstance(told, dict) or any(hasattr(each, "message") for each in generations):
        return usage_in(generations)
    return ModelUsage(
        input_tokens=_count(told, "prompt_tokens"), output_tokens=_count(told, "completion_tokens")
    )


def usage_before(left: LLMResult | None) -> ModelUsage | None:
    """The usage of an answer that an error left; None where the model had not ended."""
    parts = list(chain.from_iterable(left.generations)) if left else []
    return usage_in(parts) if any(map(is_last, parts)) else None


def is_cached(answer: LLMResult) -> bool:
    """Whether an answer comes from LangChain's cache, which writes there that it cost nothing."""
    told = [dict[str, Any](_told(each) or {}) for each in chain.from_iterable(answer.generations)]
    return any(each.get("total_cost") == 0 for each in told)


class Tally:
    """What the parts of a stream tell, added up."""

    def __init__(self, call: BaseCall[Any]) -> None:
        self._call: Any = call
        self._told: UsageMetadata | None = None
        self._is_whole = False

    def add(self, part: Any) -> None:
        """Count one part."""
        self._told = add_usage(self._told, _told(part)) if _told(part) else self._told
        self._is_whole = self._is_whole or is_last(part)

    def end(self, error: BaseException | None) -> Any:
        """Settle the call, once; where it was left early, what it told is not its price."""
        told, self._told = self._told, None
        if error is None or self._is_whole:
            self._call.used(usage_of(told))
        return self._call.settle(error)

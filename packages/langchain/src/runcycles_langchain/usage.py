"""What goes into a model call, and what came out of it, in LangChain's terms and in ours."""

import json
from collections.abc import Iterable, Mapping
from typing import Any, Final

from langchain_core.messages import BaseMessage
from langchain_core.messages.ai import UsageMetadata, add_usage
from langchain_core.outputs import Generation
from langchain_core.runnables.config import var_child_runnable_config

from runcycles.calls import BaseCall, Call, ModelRequest
from runcycles.pricing import ModelUsage, input_bound

LIMITS: Final = ("max_tokens", "max_completion_tokens", "max_output_tokens", "num_predict")
"""What providers call the output limit."""
SENT: Final = ("tools", "functions", "response_format", "instructions", "system")
"""Settings of a request that the model reads besides its messages."""
UNSENT: Final = {"id", "type", "response_metadata", "usage_metadata", "artifact"}
"""What of a message is not sent."""
ENDINGS: Final = ("finish_reason", "stop_reason", "done_reason")
"""Where providers write why the model stopped; until then, a stream has not told all its usage."""


def caller_of(metadata: Mapping[str, Any] | None) -> dict[str, str | None]:
    """The agent that calls and the run it is in, as metadata or the run's config tell them."""
    config = var_child_runnable_config.get() or {}
    told: dict[str, Any] = {}
    for each in (config.get("configurable"), config.get("metadata"), metadata):
        told.update(each or {})
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
    return value if isinstance(value, str) else _written(value)


def _json(value: Any) -> Any:
    return getattr(value, "model_json_schema", lambda: str(value))()


_written: Final = json.JSONEncoder(ensure_ascii=False, default=_json).encode


def usage_of(told: Mapping[str, Any] | None) -> ModelUsage | None:
    """The usage that a message tells; None where it says nothing."""
    counted = told or {}
    details = counted.get("input_token_details") or {}
    used = ModelUsage(
        input_tokens=_count(counted, "input_tokens"),
        output_tokens=_count(counted, "output_tokens"),
        cached_tokens=_count(details, "cache_read"),
        cache_write_tokens=_count(details, "cache_creation", "input_tokens"),
    )
    return used if used.input_tokens or used.output_tokens else None


def _count(counted: Mapping[str, Any], *endings: str) -> int:
    """The tokens under names with these endings; some providers put a tier in front."""
    return sum(n for name, n in counted.items() if name.endswith(endings) and isinstance(n, int))


def usage_in(generations: Iterable[Generation]) -> ModelUsage | None:
    """The usage of a whole answer. Where it has several texts, each of them tells the sum."""
    found = [used for each in generations if (used := usage_of(_told(each)))]
    return max(found, key=lambda used: used.output_tokens, default=None)


def _told(part: Any) -> Any:
    return getattr(getattr(part, "message", None), "usage_metadata", None)


def is_cached(generations: Iterable[Generation]) -> bool:
    """Whether an answer comes from LangChain's cache, which writes there that it cost nothing."""
    return any((_told(each) or {}).get("total_cost") == 0 for each in generations)


def is_ended(part: Any) -> bool:
    """Whether the model says here that it stopped."""
    message = getattr(part, "message", None)
    said = {**getattr(message, "response_metadata", {}), **(part.generation_info or {})}
    return getattr(message, "chunk_position", None) == "last" or any(map(said.get, ENDINGS))


class Tally:
    """What the parts of a stream tell, added up."""

    def __init__(self, call: BaseCall[Any]) -> None:
        self._call: Any = call
        self._told: UsageMetadata | None = None
        self._is_whole = False

    def add(self, part: Any) -> None:
        """Count a chunk, or an event of a provider that has its own."""
        is_event = isinstance(part, Mapping)
        is_last = part.get("event") == "message-finish" if is_event else is_ended(part)
        told = (part.get("usage") if is_last else None) if is_event else _told(part)
        self._told = add_usage(self._told, told) if told else self._told
        self._is_whole = self._is_whole or is_last
        if is_event and is_last and isinstance(self._call, Call):
            self.end(None)  # who listens to the events of a sync stream stops here

    def end(self, error: BaseException | None) -> Any:
        """Settle the call, once; where it was left early, what it told is not its price."""
        told, self._told = self._told, None
        if error is None or self._is_whole:
            self._call.used(usage_of(told))
        return self._call.settle(error)

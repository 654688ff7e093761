"""Chat models of other providers' shapes: without usage, without async, calling themselves."""

from collections.abc import AsyncIterator, Iterator
from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_core.messages.ai import UsageMetadata
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult

from runcycles.adapter_suite import MODEL


def used(input_tokens: int, output_tokens: int) -> UsageMetadata:
    return UsageMetadata(
        input_tokens=input_tokens,
        output_tokens=output_tokens,
        total_tokens=input_tokens + output_tokens,
    )


class Fake(BaseChatModel):
    """A model that only answers whole, and only sync; `calls` is shared by all of its copies."""

    model: str = MODEL
    usage: Any = None
    calls: Any  # a list of what each call was given

    @property
    def _llm_type(self) -> str:
        return "fake"

    def _generate(
        self, messages: Any, stop: Any = None, run_manager: Any = None, **settings: Any
    ) -> ChatResult:
        self.calls.append({**settings, **self.limits()})
        message = AIMessage("hello", usage_metadata=self.usage)
        return ChatResult(generations=[ChatGeneration(message=message)])

    def limits(self) -> dict[str, Any]:
        return {}


class Local(Fake):
    """A model that calls its output limit otherwise."""

    num_predict: int | None = None

    def limits(self) -> dict[str, Any]:
        return {"num_predict": self.num_predict}


class Chunks(Fake):
    """A model that streams, and answers whole by streaming; it tells its usage in two parts."""

    max_tokens: int | None = None
    tells_end: bool = True

    def _generate(
        self, messages: Any, stop: Any = None, run_manager: Any = None, **settings: Any
    ) -> ChatResult:
        parts = list(self._stream(messages, stop, run_manager, **settings))
        whole = parts[0]
        for part in parts[1:]:
            whole += part
        message = AIMessage(whole.text, usage_metadata=whole.message.usage_metadata)  # type: ignore[attr-defined]  # a chunk of an AIMessage
        return ChatResult(generations=[ChatGeneration(message=message)])

    def _stream(
        self, messages: Any, stop: Any = None, run_manager: Any = None, **settings: Any
    ) -> Iterator[ChatGenerationChunk]:
        self.calls.append(settings)
        yield ChatGenerationChunk(
            message=AIMessageChunk(content="hel", usage_metadata=used(100, 0))
        )
        end = {"stop_reason": "end"} if self.tells_end else {}
        yield ChatGenerationChunk(
            message=AIMessageChunk(content="lo", usage_metadata=used(0, 10), response_metadata=end)
        )


class Events(Fake):
    """A model with a stream of events of its own."""

    max_tokens: int | None = None

    def _stream_chat_model_events(self, messages: Any, **settings: Any) -> Iterator[dict[str, Any]]:
        self.calls.append(settings)
        yield {"event": "message-start", "id": "m", "role": "ai"}
        yield {"event": "message-finish", "usage": dict(used(100, 10))}

    async def _astream_chat_model_events(
        self, messages: Any, **settings: Any
    ) -> AsyncIterator[dict[str, Any]]:
        for event in self._stream_chat_model_events(messages, **settings):
            yield event

"""A callback handler that asks before each model and tool call of a run.

Sync on purpose: LangChain lets the errors of an async handler stop only async calls, and those of
this one all calls, from another thread where an event loop runs.
"""

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from contextvars import ContextVar
from functools import partial
from threading import Lock
from typing import Any, Final
from uuid import UUID

from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.outputs import LLMResult

from runcycles import CyclesError, OnError
from runcycles.calls import Call
from runcycles.open_guards import OpenGuards
from runcycles.pricing import ModelUsage
from runcycles_langchain.options import Asked, calls_of, is_marked
from runcycles_langchain.refusals import end, stopping
from runcycles_langchain.usage import caller_of, is_cached, is_last, request_of, usage_in

REMEMBERED: Final = 100
"""Refused requests of several conversations, whose others may still be about to start."""
_started: ContextVar[tuple[Any, tuple[UUID, ...]]] = ContextVar("runcycles_started")
"""The conversations of one sync request; async ones start in a copy of their context."""


class AnsweredFromCacheError(CyclesError):
    """Why a reservation is released; never raised."""


class CyclesCallbackHandler(BaseCallbackHandler):
    """Pass it in `config={"callbacks": [...]}`: every call of that run asks, sub-agents' too.

    It cannot change a request: where that sets no output limit, the default one is assumed, not
    set. What asks by itself is left alone.

    Raises:
        ConfigurationError: for a wrong option.
    """

    raise_error = True

    def __init__(self, client_or_calls: Asked = None, **options: Any) -> None:
        self._calls = calls_of(client_or_calls, options)
        self._open: OpenGuards[Call] = OpenGuards()
        self._refused: deque[tuple[Any, CyclesError]] = deque(maxlen=REMEMBERED)
        self._lock = Lock()

    def on_chat_model_start(
        self, serialized: Any, messages: Any, *, run_id: UUID, **told: Any
    ) -> None:
        """Ask for a conversation."""
        self._start_model([each for part in messages for each in part], run_id, told)
        request = told.get("invocation_params")
        same, earlier = _started.get((None, ()))
        _started.set((request, (*(earlier if same is request else ()), run_id)))

    def on_llm_start(self, serialized: Any, prompts: Any, *, run_id: UUID, **told: Any) -> None:
        """Ask for a prompt."""
        self._start_model(prompts, run_id, told)

    def on_tool_start(self, serialized: Any, input_str: str, *, run_id: UUID, **told: Any) -> None:
        """Ask for a tool."""
        metadata = told.get("metadata")
        name = (serialized or {}).get("name") or told.get("name") or "unknown"
        if not is_marked(metadata):
            self._start(lambda: self._calls.tool(name, **caller_of(metadata)), run_id)

    def on_llm_end(self, response: LLMResult, *, run_id: UUID, **told: Any) -> None:
        """Settle by what the model says it used."""
        generations = response.generations[0] if response.generations else []
        tokens = (response.llm_output or {}).get("token_usage")
        if is_cached(generations):
            self._release(self._open.take(run_id), AnsweredFromCacheError())
        elif isinstance(tokens, dict):  # a text model, which counts all prompts of a request once
            used = ModelUsage(
                input_tokens=tokens.get("prompt_tokens") or 0,
                output_tokens=tokens.get("completion_tokens") or 0,
            )
            self._end(run_id, used, response)
        else:
            self._end(run_id, usage_in(generations), response)

    def on_llm_error(self, error: BaseException, *, run_id: UUID, **told: Any) -> None:
        """Settle what an error left, and the others of its request, which are told no end."""
        parts = [
            part for parts in getattr(told.get("response"), "generations", ()) for part in parts
        ]
        used = usage_in(parts) if any(map(is_last, parts)) else None
        _, together = _started.get((None, ()))
        at = together.index(run_id) if run_id in together else 0
        for before in together[:at]:
            self._end(before)
        self._end(run_id, used, error=error)
        for after in together[at + 1 :] if run_id in together else ():
            self._release(self._open.take(after), error)

    def on_tool_end(self, output: Any, *, run_id: UUID, **told: Any) -> None:
        """Settle."""
        self._end(run_id, result=output)

    def on_tool_error(self, error: BaseException, *, run_id: UUID, **told: Any) -> None:
        """Settle what an error left."""
        self._end(run_id, error=error)

    def _start_model(self, messages: Any, run_id: UUID, told: dict[str, Any]) -> None:
        metadata, settings = told.get("metadata"), told.get("invocation_params") or {}
        if is_marked(metadata):
            return
        request = request_of(metadata or {}, messages, settings)
        is_alone = told.get("batch_size", 1) == 1
        with nullcontext() if is_alone else self._one_of_many(settings):
            call = partial(self._calls.model, request, **caller_of(metadata))
            self._start(call, run_id, run=None if is_alone else id(settings))

    def _start(self, opening: Callable[[], Call], run_id: UUID, run: Any = None) -> None:
        with stopping():
            self._open.check_room()
            self._open.add(run_id, opening(), run=run)

    @contextmanager
    def _one_of_many(self, request: Any) -> Iterator[None]:
        """LangChain starts all conversations of a request, and makes none if one is refused."""
        with self._lock:
            for refused, error in self._refused:
                if refused is request:
                    raise error
            try:
                yield
            except CyclesError as error:
                self._refused.append((request, error))
                for call in self._open.take_run(id(request)):
                    self._release(call, error)
                raise

    def _end(
        self,
        run_id: UUID,
        used: ModelUsage | None = None,
        result: Any = None,
        error: BaseException | None = None,
    ) -> None:
        if call := self._open.take(run_id):
            call.guard.result = result
            call.used(used)
            with stopping():
                end(call, error)

    def _release(self, call: Call | None, why: BaseException) -> None:
        if call:
            call.guard.settle(why, on_error=OnError.RELEASE)

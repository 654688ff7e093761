"""A callback handler that asks before each model and tool call of a run.

Sync on purpose: LangChain lets the errors of an async handler stop only async calls, and those of
this one all calls, from another thread where an event loop runs.
"""

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial
from itertools import chain
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
from runcycles_langchain.usage import (
    caller_of,
    is_cached,
    request_of,
    usage_before,
    usage_of_answer,
)

REMEMBERED: Final = 100
"""Refused requests of several conversations, the last of which may still be about to start."""
_started: ContextVar[tuple[Any, tuple[UUID, ...]]] = ContextVar("runcycles_started")
"""A sync request and its conversations; async ones start in copies of their context."""


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

    def __init__(self, client_or_calls: Asked = None, /, **options: Any) -> None:
        self._calls = calls_of(client_or_calls, options)
        self._open: OpenGuards[Call] = OpenGuards()
        self._together: OpenGuards[UUID] = OpenGuards()
        self._refused: deque[tuple[Any, CyclesError]] = deque(maxlen=REMEMBERED)
        self._lock = Lock()

    # ── starts ───────────────────────────────────────────────────────────────────────────────

    def on_chat_model_start(
        self, serialized: Any, messages: Any, *, run_id: UUID, **told: Any
    ) -> None:
        """Ask for a conversation."""
        self._start_model(chain.from_iterable(messages), run_id, told)
        request, earlier = _started.get((None, ()))
        if request is not told.get("invocation_params"):
            request, earlier = told.get("invocation_params"), ()
        _started.set((request, (*earlier, run_id)))

    def on_llm_start(self, serialized: Any, prompts: Any, *, run_id: UUID, **told: Any) -> None:
        """Ask for a prompt."""
        self._start_model(prompts, run_id, told)

    def on_tool_start(self, serialized: Any, input_str: str, *, run_id: UUID, **told: Any) -> None:
        """Ask for a tool."""
        if not is_marked(metadata := told.get("metadata")):
            name = (serialized or {}).get("name") or told.get("name") or "unknown"
            self._start(partial(self._calls.tool, name, **caller_of(metadata)), run_id, told)

    def _start_model(self, messages: Any, run_id: UUID, told: dict[str, Any]) -> None:
        metadata, request = told.get("metadata"), told.get("invocation_params") or {}
        if is_marked(metadata):
            return
        asked = request_of(metadata or {}, messages, request)
        opening = partial(self._calls.model, asked, **caller_of(metadata))
        if told.get("batch_size", 1) == 1:
            self._start(opening, run_id, told)
            return
        with self._one_of_many(request):
            self._start(opening, run_id, told)
            self._together.add(run_id, run_id, run=id(request))

    def _start(self, opening: Callable[[], Call], run_id: UUID, told: dict[str, Any]) -> None:
        with stopping():
            self._open.check_room()
            self._open.add(run_id, opening(), run=told.get("parent_run_id"))

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
                for other in self._together.take_run(id(request)):
                    self._release(other, error)
                raise

    # ── ends ─────────────────────────────────────────────────────────────────────────────────

    def on_llm_end(self, response: LLMResult, *, run_id: UUID, **told: Any) -> None:
        """Settle by what the model says it used."""
        if is_cached(response):
            self._release(run_id, AnsweredFromCacheError())
        self._end(run_id, usage_of_answer(response), result=response)

    def on_llm_error(self, error: BaseException, *, run_id: UUID, **told: Any) -> None:
        """Settle what an error left, and the others of its request, which are told no end."""
        before, after = _around(run_id)
        for other in before:
            self._end(other)
        self._end(run_id, usage_before(told.get("response")), error=error)
        for other in after:
            self._release(other, error)

    def on_tool_end(self, output: Any, *, run_id: UUID, **told: Any) -> None:
        """Settle."""
        self._end(run_id, result=output)

    def on_tool_error(self, error: BaseException, *, run_id: UUID, **told: Any) -> None:
        """Settle what an error left."""
        self._end(run_id, error=error)

    def on_chain_end(self, outputs: Any, *, run_id: UUID, **told: Any) -> None:
        """Settle what was told no end of its own."""
        for call in self._open.take_run(run_id):
            call.settle()

    def on_chain_error(self, error: BaseException, *, run_id: UUID, **told: Any) -> None:
        """Settle what was cut off without being told."""
        for call in self._open.take_run(run_id):
            call.settle()

    def _end(
        self,
        run_id: UUID,
        used: ModelUsage | None = None,
        result: Any = None,
        error: BaseException | None = None,
    ) -> None:
        self._together.take(run_id)
        if call := self._open.take(run_id):
            call.guard.result = result
            call.used(used)
            with stopping():
                end(call, error)

    def _release(self, run_id: UUID, why: BaseException) -> None:
        if call := self._open.take(run_id):
            call.guard.settle(why, on_error=OnError.RELEASE)


def _around(run_id: UUID) -> tuple[tuple[UUID, ...], tuple[UUID, ...]]:
    """The other conversations of a sync request: those already made, and those never made."""
    _, together = _started.get((None, ()))
    if run_id not in together:
        return (), ()
    at = together.index(run_id)
    return together[:at], together[at + 1 :]

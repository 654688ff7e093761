"""A callback handler that asks before each model and tool call of a run.

Sync on purpose: LangChain lets the errors of an async handler stop only async calls, and those of
this one all calls, from another thread where an event loop runs.
"""

import sys
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from itertools import chain
from threading import Lock
from typing import Any
from uuid import UUID

from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.outputs import LLMResult

from runcycles import CyclesError, OnError
from runcycles.asked import Asked, calls_of
from runcycles.calls import Call
from runcycles.open_guards import OpenGuards
from runcycles_langchain.options import is_marked
from runcycles_langchain.refusals import STOPPING, end
from runcycles_langchain.usage import caller_of, is_cached, is_ended, request_of, usage_in


@dataclass(slots=True)
class _Request:
    """Several conversations asked for at once; LangChain starts them all before the first call."""

    told: Any
    is_chat: bool
    started: list[UUID] = field(default_factory=list)
    refusal: CyclesError | None = None


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
        self._requests: deque[_Request] = deque(maxlen=100)  # of several conversations, the latest
        self._lock = Lock()

    # ── starts ───────────────────────────────────────────────────────────────────────────────

    def on_chat_model_start(self, serialized: Any, messages: Any, **told: Any) -> None:
        """Ask for a conversation."""
        self._start_model(chain.from_iterable(messages), is_chat=True, **told)

    def on_llm_start(self, serialized: Any, prompts: Any, **told: Any) -> None:
        """Ask for a prompt."""
        self._start_model(prompts, is_chat=False, **told)

    def on_tool_start(self, serialized: Any, input_str: str, *, run_id: UUID, **told: Any) -> None:
        """Ask for a tool."""
        if not is_marked(metadata := told.get("metadata")):
            name = (serialized or {}).get("name") or told.get("name") or "unknown"
            self._start(partial(self._calls.tool, name, **caller_of(metadata)), run_id, told)

    def _start_model(self, messages: Any, *, is_chat: bool, run_id: UUID, **told: Any) -> None:
        metadata, request = told.get("metadata"), told.get("invocation_params") or {}
        if is_marked(metadata):
            return
        asked = request_of(metadata or {}, messages, request)
        opening = partial(self._calls.model, asked, **caller_of(metadata))
        if told.get("batch_size", 1) == 1:
            self._start(opening, run_id, told)
            return
        with self._lock:
            known = (each for each in self._requests if each.told is request)
            if not (several := next(known, None)):
                self._requests.append(several := _Request(request, is_chat))
            if several.refusal:
                raise several.refusal
            try:
                self._start(opening, run_id, told)
            except CyclesError as error:
                several.refusal = error
                for other in several.started:
                    self._release(other, error)
                raise
            several.started.append(run_id)

    def _start(self, opening: Callable[[], Call], run_id: UUID, told: dict[str, Any]) -> None:
        with STOPPING:
            self._open.check_room()
            self._open.add(run_id, opening(), run=told.get("parent_run_id"))

    # ── ends ─────────────────────────────────────────────────────────────────────────────────

    def on_llm_end(self, response: LLMResult, *, run_id: UUID, **told: Any) -> None:
        """Settle by what the model says it used; a text model's answer costs its estimate."""
        generations = list(chain.from_iterable(response.generations))
        if is_cached(generations):
            self._release(run_id, CyclesError("the answer came from the cache"))
        self._end(run_id, usage_in(generations), response)

    def on_llm_error(self, error: BaseException, *, run_id: UUID, **told: Any) -> None:
        """Settle what an error left.

        Where a sync chat is just handling it, the others of its request have ended, or never will.
        """
        parts = list(chain.from_iterable(getattr(told.get("response"), "generations", ())))
        self._end(run_id, usage_in(parts) if any(map(is_ended, parts)) else None, error=error)
        if sys.exc_info()[1] is error:
            chats = (each.started for each in tuple(self._requests) if each.is_chat)
            several = next((started for started in chats if run_id in started), [run_id])
            for other in several[: several.index(run_id)]:
                self._end(other)
            for other in several:  # which are left
                self._release(other, error)

    def on_tool_end(self, output: Any, *, run_id: UUID, **told: Any) -> None:
        """Settle."""
        self._end(run_id, result=output)

    def on_tool_error(self, error: BaseException, *, run_id: UUID, **told: Any) -> None:
        """Settle what an error left."""
        self._end(run_id, error=error)

    def on_chain_end(self, outputs: Any, *, run_id: UUID, **told: Any) -> None:
        """Settle what was cut off without being told so."""
        for call in self._open.take_run(run_id):
            call.settle()

    on_chain_error: Any = on_chain_end

    def _end(self, run_id: UUID, used: Any = None, result: Any = None, error: Any = None) -> None:
        if call := self._open.take(run_id):
            call.guard.result = result
            call.used(used)
            with STOPPING:
                end(call, error)

    def _release(self, run_id: UUID, why: BaseException) -> None:
        if call := self._open.take(run_id):
            call.guard.settle(why, on_error=OnError.RELEASE)

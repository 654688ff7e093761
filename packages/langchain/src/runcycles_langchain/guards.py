"""Models and tools that ask before each call, below whatever retries, falls back or remembers.

A guarded object's class is made from its own, so `isinstance`, its name and all its methods stay.
While a permitted call runs, the framework's code sees the object under its first class: what it
calls on itself is part of that one call.
"""

import logging
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from contextlib import aclosing
from functools import lru_cache, wraps
from typing import Any, Final, TypeVar

from langchain_core.language_models import BaseChatModel
from langchain_core.tools import BaseTool
from langchain_core.tools import tool as as_tool
from pydantic import BaseModel

from runcycles import ConfigurationError
from runcycles.calls import BaseCall, CallGuards
from runcycles.streaming import settled, settled_async
from runcycles_langchain.options import MARK, Asked, calls_of
from runcycles_langchain.refusals import settling, settling_async, stopping
from runcycles_langchain.usage import LIMITS, Tally, answers, caller_of, request_of, usage_in

logger = logging.getLogger("runcycles.langchain")
M = TypeVar("M", bound=BaseChatModel)
Method = Callable[..., Any]


def guard_model(model: M, client_or_calls: Asked = None, **options: Any) -> M:
    """A copy of a chat model that asks; one that asks already is returned as it is.

    Raises:
        ConfigurationError: where it is no chat model, and for a wrong option.
    """
    if not isinstance(model, BaseChatModel):
        raise ConfigurationError(
            f"{type(model).__name__} is not a chat model; guard the model itself, before it is "
            "bound to tools, given fallbacks or made part of a chain"
        )
    calls = calls_of(client_or_calls, options)
    if _limit_of(model) is None:
        logger.warning("%s has no output limit to set; it is assumed", type(model).__name__)
    # streams of other endpoints than OpenAI's own tell their usage only if asked to
    is_silent = getattr(model, "stream_usage", True) is None
    guarded: M = _guarded(model, calls, {"stream_usage": True} if is_silent else {})
    return guarded


def guard_tools(
    tools: Iterable[BaseTool | Method], client_or_calls: Asked = None, **options: Any
) -> list[BaseTool]:
    """Copies of tools that ask; functions become tools, and what asks already stays as it is.

    Raises:
        ConfigurationError: for a tool that the provider runs, and for a wrong option.
    """
    calls = calls_of(client_or_calls, options)
    return [_guarded(_tool(each), calls, {}) for each in tools]


def is_guarded(item: object) -> bool:
    """Whether a model or a tool asks by itself."""
    return hasattr(type(item), "__cycles_plain__")


def _tool(given: Any) -> Any:
    if isinstance(given, Mapping):
        raise ConfigurationError(f"the provider runs {given}; no guard here could stop it")
    return given if isinstance(given, BaseTool) else as_tool(given)


def _guarded(item: Any, calls: CallGuards, update: dict[str, Any]) -> Any:
    if is_guarded(item):
        return item
    kind: Any = type(item)
    copied = item.model_copy(update={"metadata": {**(item.metadata or {}), **MARK}, **update})
    object.__setattr__(copied, "__class__", _class(kind, calls))
    return copied


@lru_cache(maxsize=256)
def _class(kind: Any, calls: CallGuards) -> Any:
    guards, base = (_TOOL, object) if issubclass(kind, BaseTool) else (_MODEL, BaseChatModel)
    names = {name: getattr(kind, name) for name in ("__module__", "__qualname__", "__doc__")}
    for name, guard in guards.items():
        method = getattr(kind, name, None)
        if method is not None and method is not getattr(base, name, None):
            names[name] = wraps(method)(guard(method, calls))
    return type(kind)(kind.__name__, (kind,), {**names, "__cycles_plain__": kind})


def _plain(item: Any) -> Any:
    """A guarded object under its first class; the two share their state."""
    kind = type(item).__cycles_plain__
    twin = kind.__new__(kind)
    for slot in BaseModel.__slots__:
        object.__setattr__(twin, slot, getattr(item, slot))
    return twin


# ── what a guarded object has in place of its own methods ────────────────────────────────────


def _asked(model: Any, messages: Any, given: dict[str, Any]) -> dict[str, Any]:
    """The question about a call, and who calls."""
    settings = {"n": getattr(model, "n", None), **given}
    manager = settings.pop("run_manager", None)
    told = model._get_ls_params(**settings)  # noqa: SLF001 - what it tells its tracers
    return {
        "request": request_of(told, messages, settings),
        **caller_of(getattr(manager, "metadata", None)),
    }


def _begun(call: BaseCall[Any], method: Method, model: Any, messages: Any, **given: Any) -> Any:
    """Let the model's own code run, with the limit in its place."""
    twin = _plain(model)
    if call.max_tokens is not None:
        limit = call.max_tokens // answers({"n": getattr(model, "n", None), **given})
        if field := _limit_of(model):
            object.__setattr__(twin, "__dict__", {**twin.__dict__, field: limit})
        given |= {name: limit for name in LIMITS if given.get(name) is not None}
    return method(twin, messages, **given)


def _limit_of(model: BaseChatModel) -> str | None:
    return next((name for name in LIMITS if name in type(model).model_fields), None)


def _generating(method: Method, calls: CallGuards) -> Method:
    def generate(self: Any, messages: Any, stop: Any = None, **given: Any) -> Any:
        given["stop"] = stop
        with stopping(), settling(calls.model(**_asked(self, messages, given))) as call:
            result = _begun(call, method, self, messages, **given)
            call.used(usage_in(result.generations))
            call.guard.result = result
            return result

    return generate


def _generating_async(method: Method, calls: CallGuards) -> Method:
    async def generate(self: Any, messages: Any, stop: Any = None, **given: Any) -> Any:
        given["stop"] = stop
        with stopping():
            opened = await calls.model_async(**_asked(self, messages, given))
            async with settling_async(opened) as call:
                result = await _begun(call, method, self, messages, **given)
                call.used(usage_in(result.generations))
                call.guard.result = result
                return result

    return generate


def _streaming(method: Method, calls: CallGuards) -> Method:
    def stream(self: Any, messages: Any, stop: Any = None, **given: Any) -> Iterator[Any]:
        given["stop"] = stop
        with stopping(), settling(calls.model(**_asked(self, messages, given))) as call:
            tally = Tally(call)
            yield from settled(_begun(call, method, self, messages, **given), tally.add, tally.end)

    return stream


def _streaming_async(method: Method, calls: CallGuards) -> Method:
    async def stream(
        self: Any, messages: Any, stop: Any = None, **given: Any
    ) -> AsyncIterator[Any]:
        given["stop"] = stop
        with stopping():
            opened = await calls.model_async(**_asked(self, messages, given))
            async with settling_async(opened) as call:
                tally = Tally(call)
                parts = _begun(call, method, self, messages, **given)
                async with aclosing(settled_async(parts, tally.add, tally.end)) as watched:
                    async for part in watched:
                        yield part

    return stream


def _marks(tool: Any) -> tuple[object, ...]:
    return tuple(getattr(tool, name, None) for name in ("func", "coroutine", "_run", "_arun"))


def _running(method: Method, calls: CallGuards) -> Method:
    def run(self: Any, *args: Any, **given: Any) -> Any:
        with stopping(), settling(calls.tool(self.name, *_marks(self), **caller_of(None))) as call:
            call.guard.result = method(_plain(self), *args, **given)
            return call.guard.result

    return run


def _running_async(method: Method, calls: CallGuards) -> Method:
    async def run(self: Any, *args: Any, **given: Any) -> Any:
        with stopping():
            opened = await calls.tool_async(self.name, *_marks(self), **caller_of(None))
            async with settling_async(opened) as call:
                call.guard.result = await method(_plain(self), *args, **given)
                return call.guard.result

    return run


_TOOL: Final = {"_run": _running, "_arun": _running_async}
_MODEL: Final = {
    "_generate": _generating,
    "_agenerate": _generating_async,
    "_stream": _streaming,
    "_astream": _streaming_async,
    "_stream_chat_model_events": _streaming,
    "_astream_chat_model_events": _streaming_async,
}

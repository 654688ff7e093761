"""Models and tools that ask before each call, below whatever retries, falls back or remembers.

A guarded object's class is made from its own, so `isinstance`, its name and all its methods stay.
While a permitted call runs, the framework's code sees the object under its first class: what it
calls on itself is part of that one call.
"""

from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from contextlib import aclosing
from functools import lru_cache, partial, wraps
from typing import Any, Final, TypeVar, cast

from langchain_core.language_models import BaseChatModel
from langchain_core.outputs import ChatResult
from langchain_core.tools import BaseTool
from langchain_core.tools import tool as as_tool
from pydantic import BaseModel

from runcycles import ConfigurationError
from runcycles.asked import Asked, calls_of
from runcycles.calls import BaseCall, CallGuards
from runcycles.streaming import settled, settled_async
from runcycles_langchain.options import MARK
from runcycles_langchain.refusals import STOPPING, Settling
from runcycles_langchain.usage import LIMITS, Tally, answers, caller_of, request_of, usage_in

M = TypeVar("M", bound=BaseChatModel)
Method = Callable[..., Any]
PLAIN: Final = "__cycles_plain__"


def guard_model(model: M, client_or_calls: Asked = None, /, **options: Any) -> M:
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
    # streams of other endpoints than OpenAI's own tell their usage only if asked to
    update = {"stream_usage": True} if getattr(model, "stream_usage", True) is None else {}
    return cast("M", _guarded(model, calls, **update))


def guard_tools(
    tools: Iterable[BaseTool | Method], client_or_calls: Asked = None, /, **options: Any
) -> list[BaseTool]:
    """Copies of tools that ask; functions become tools, and what asks already stays as it is.

    Raises:
        ConfigurationError: for a tool that the provider runs, and for a wrong option.
    """
    calls = calls_of(client_or_calls, options)
    return [_guarded(_tool(each), calls) for each in tools]


def _tool(given: Any) -> Any:
    if isinstance(given, Mapping):
        raise ConfigurationError(f"the provider runs {given}; no guard here could stop it")
    return given if isinstance(given, BaseTool) else as_tool(given)


def _guarded(item: Any, calls: CallGuards, **update: Any) -> Any:
    if hasattr(type(item), PLAIN):
        return item
    kind: Any = type(item)
    copied = item.model_copy(update={"metadata": {**(item.metadata or {}), **MARK}, **update})
    object.__setattr__(copied, "__class__", _class(kind, calls))
    return copied


@lru_cache(maxsize=256)
def _class(kind: Any, calls: CallGuards) -> Any:
    is_tool = issubclass(kind, BaseTool)
    base, asking = (BaseTool, _asking_tool) if is_tool else (BaseChatModel, _asking_model)
    names = {name: getattr(kind, name) for name in ("__module__", "__qualname__", "__doc__")}
    names["model_config"] = {"defer_build": True}  # most copies never need what takes 10 ms
    for name, (shape, opening) in METHODS.items():
        method = getattr(kind, name, None)
        if method not in (None, getattr(base, name, None)):
            ask = asking(getattr(calls, opening))
            names[name] = wraps(method)(shape(ask, partial(_begun, method)))
    return type(kind)(kind.__name__, (kind,), {**names, PLAIN: kind})


def _plain(item: Any) -> Any:
    """A guarded object under its first class; the two share their state."""
    kind = getattr(type(item), PLAIN)
    twin = kind.__new__(kind)
    for slot in BaseModel.__slots__:
        object.__setattr__(twin, slot, getattr(item, slot))
    return twin


# ── what a guarded object has in place of its own methods ────────────────────────────────────


def _asking_model(opening: Method) -> Method:
    def ask(
        model: Any, messages: Any, stop: Any = None, run_manager: Any = None, **given: Any
    ) -> Any:
        settings = {"n": getattr(model, "n", None), "stop": stop, **given}
        told = model._get_ls_params(**settings)  # noqa: SLF001 - what it tells its tracers
        caller = caller_of(getattr(run_manager, "metadata", None))
        return opening(request_of(told, messages, settings), **caller)

    return ask


def _asking_tool(opening: Method) -> Method:
    def ask(tool: Any, *_args: Any, **_given: Any) -> Any:
        marked = [getattr(tool, name, None) for name in ("func", "coroutine", "_run", "_arun")]
        return opening(tool.name, *marked, **caller_of(None))

    return ask


def _begun(method: Method, call: BaseCall[Any], item: Any, *args: Any, **given: Any) -> Any:
    """Let the framework's own code run, with the limit in its place."""
    twin = _plain(item)
    if call.max_tokens is not None:
        limit = call.max_tokens // answers({"n": getattr(item, "n", None), **given})
        fields = type(item).model_fields
        own = {name: limit for name in LIMITS if name in fields}
        object.__setattr__(twin, "__dict__", {**twin.__dict__, **own})
        given |= {name: limit for name in LIMITS if given.get(name) is not None}
    return method(twin, *args, **given)


def _done(call: BaseCall[Any], result: Any) -> Any:
    if isinstance(result, ChatResult):
        call.used(usage_in(result.generations))
    call.guard.result = result
    return result


def _whole(ask: Method, begin: Method) -> Method:
    def whole(self: Any, *args: Any, **given: Any) -> Any:
        with STOPPING, Settling(ask(self, *args, **given)) as call:
            return _done(call, begin(call, self, *args, **given))

    return whole


def _whole_async(ask: Method, begin: Method) -> Method:
    async def whole(self: Any, *args: Any, **given: Any) -> Any:
        with STOPPING:
            async with Settling(await ask(self, *args, **given)) as call:
                return _done(call, await begin(call, self, *args, **given))

    return whole


def _parts(ask: Method, begin: Method) -> Method:
    def parts(self: Any, *args: Any, **given: Any) -> Iterator[Any]:
        with STOPPING, Settling(ask(self, *args, **given)) as call:
            tally = Tally(call)
            yield from settled(begin(call, self, *args, **given), tally.add, tally.end)

    return parts


def _parts_async(ask: Method, begin: Method) -> Method:
    async def parts(self: Any, *args: Any, **given: Any) -> AsyncIterator[Any]:
        with STOPPING:
            async with Settling(await ask(self, *args, **given)) as call:
                tally = Tally(call)
                stream = settled_async(begin(call, self, *args, **given), tally.add, tally.end)
                async with aclosing(stream) as watched:
                    async for part in watched:
                        yield part

    return parts


METHODS: Final = {
    "_run": (_whole, "tool"),
    "_arun": (_whole_async, "tool_async"),
    "_generate": (_whole, "model"),
    "_agenerate": (_whole_async, "model_async"),
    "_stream": (_parts, "model"),
    "_astream": (_parts_async, "model_async"),
    "_stream_chat_model_events": (_parts, "model"),
    "_astream_chat_model_events": (_parts_async, "model_async"),
}
"""Where a provider's or a tool's code begins, the shape of what it returns, and who asks for it."""

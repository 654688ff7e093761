"""`@cycles`: a guard around every call of a function, whatever kind of function it is."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from functools import partial, wraps
from types import CoroutineType
from typing import Any, Final, ParamSpec, Protocol, TypedDict, TypeVar, Unpack, cast, overload

from runcycles import questions
from runcycles.actions import UNMAPPED
from runcycles.default_client import AnyClient, default_client
from runcycles.errors import ConfigurationError
from runcycles.guard import AsyncGuard, BaseGuard, Guard
from runcycles.scopes import LEVELS
from runcycles.settlement import OnError
from runcycles.stepping import around_async_generator, around_generator
from runcycles.types import (
    Action,
    Amount,
    Metadata,
    OveragePolicy,
    PolicyKeys,
    Subject,
    Unit,
)

P = ParamSpec("P")
R = TypeVar("R")
G = TypeVar("G", bound=BaseGuard)

MAX_NAME_LENGTH: Final = 256

Estimate = Amount | int | Callable[..., Amount | int]
ReadActual = Callable[[Any], Amount | int | None]
Text = str | Callable[..., str | None] | None


class Options(TypedDict, total=False):
    """What `@cycles` takes besides the estimate. Callables get the arguments of each call.

    `actual` is an amount, or reads it from what the call returned; without it, what the function
    records counts (`current_reservation().record(...)`), else the estimate. `unit` is that of bare
    numbers. `policy_keys` say what the action touches, for the quotas that look at it. The six
    levels and `dimensions` say who spends, where the config does not.
    """

    actual: Amount | int | Callable[[Any], Amount | int | None] | None
    unit: Unit
    action_kind: Text
    action_name: Text
    action_tags: Sequence[str] | Callable[..., Sequence[str] | None] | None
    policy_keys: PolicyKeys | Callable[..., PolicyKeys | None] | None
    tenant: Text
    workspace: Text
    app: Text
    workflow: Text
    agent: Text
    toolset: Text
    dimensions: Mapping[str, str] | Callable[..., Mapping[str, str] | None] | None
    metadata: Metadata | Callable[..., Metadata | None] | None
    ttl_ms: int | None
    grace_period_ms: int | None
    overage_policy: OveragePolicy | None
    on_error: OnError | str | None
    on_authority_down: questions.OnAuthorityDown
    client: AnyClient | None


class Decorator(Protocol):
    """Gives back a function of the same kind, parameters and result."""

    def __call__(self, function: Callable[P, R], /) -> Callable[P, R]:
        """The guarded function."""
        ...


@overload
def cycles(estimate: Amount | int, /, **options: Unpack[Options]) -> Decorator: ...
@overload
def cycles(*, estimate: Estimate, **options: Unpack[Options]) -> Decorator: ...
def cycles(*positional: Any, **options: Any) -> Decorator:
    """Guard every call of a function: reserve its estimate before, settle after.

    Works on functions, coroutine functions, generators and async generators, with either kind of
    client. A generator reserves at its first `next`, and settles when it ends or is closed.

    Raises:
        ConfigurationError: for an option that cannot be; at decoration, unless it is a callable's.
        DeniedError, CyclesTransportError: by each call that must not run, and does not.
        SettlementRefusedError, SpendNotRecordedError: by calls that ran but could not be settled;
            their `result` is what the function returned.
    """
    if len(positional) == 1 and not callable(positional[0]):
        options["estimate"] = positional[0]
    elif positional or "estimate" not in options:
        raise TypeError("write @cycles(estimate=...), e.g. @cycles(estimate=1000)")
    unknown = options.keys() - Options.__annotations__.keys() - {"estimate"}
    if unknown:
        raise TypeError(f"@cycles has no option {', '.join(sorted(unknown))}")

    def decorate(function: Callable[P, R], /) -> Callable[P, R]:
        if isinstance(function, staticmethod | classmethod):
            raise TypeError(f"put @cycles below @{type(function).__name__}")
        if not callable(function):
            raise TypeError(f"{function!r} cannot be called, so there is nothing to guard")
        return _guarded(function, Calls(function, options))

    return decorate


class Calls:
    """The guards of one function's calls: what is the same for all is made once."""

    def __init__(self, function: Callable[..., Any], options: Mapping[str, Any]) -> None:
        given = {name: value for name, value in options.items() if value is not None}
        self._client: AnyClient | None = given.pop("client", None)
        self._name = _name_of(function)
        actual = given.pop("actual", None)
        self.read_actual: ReadActual | None = actual if callable(actual) else None
        self._fixed = {name: value for name, value in given.items() if not callable(value)}
        self._read = {name: value for name, value in given.items() if callable(value)}
        if actual is not None and self.read_actual is None:
            self._fixed["actual"] = actual
        questions.check(self._fixed)
        self._ready = None if self._read else self._call(**self._fixed)

    def guard(self, kind: type[G], args: tuple[Any, ...], kwargs: dict[str, Any]) -> G:
        """The guard of one call."""
        call = self._ready
        if call is None:
            read = {name: value(*args, **kwargs) for name, value in self._read.items()}
            call = self._call(**self._fixed, **read)
        client = self._client or default_client()
        return kind(client.connection, **call)

    def returned(self, guard: BaseGuard, result: Any) -> None:
        """Note what a call returned, and what that says about its use."""
        guard.result = result
        read = self.read_actual
        if read is not None:
            guard.measure(lambda: read(result))

    def _call(
        self,
        *,
        action_kind: str | None = None,
        action_name: str | None = None,
        action_tags: Sequence[str] | None = None,
        policy_keys: PolicyKeys | None = None,
        **fields: Any,
    ) -> questions.Guarding:
        """The options of one call, as a guard takes them."""
        levels = {level: fields.pop(level, None) for level in LEVELS}
        action = Action(
            kind=action_kind or UNMAPPED,
            name=action_name or self._name,
            tags=tuple(action_tags) if action_tags else None,
            policy_keys=policy_keys,
        )
        subject = Subject(**levels) if any(levels.values()) else None
        return cast("questions.Guarding", {"action": action, "subject": subject, **fields})


def _name_of(function: Callable[..., Any]) -> str:
    """What a function is called, partials and callable objects included."""
    while isinstance(function, partial):
        function = function.func
    name: str = getattr(function, "__qualname__", type(function).__qualname__)
    return name[-MAX_NAME_LENGTH:]


def _guarded(function: Callable[P, R], calls: Calls) -> Callable[P, R]:
    """A function of the same kind, name and signature whose calls are guarded."""
    return cast("Callable[P, R]", wraps(function)(_wrapper(function, calls)))


def _wrapper(function: Callable[..., Any], calls: Calls) -> Callable[..., Any]:
    kind: Any = function
    if not inspect.isroutine(function) and not isinstance(function, partial):
        kind = type(function).__call__
    if inspect.isasyncgenfunction(kind):
        if calls.read_actual is not None:
            raise ConfigurationError(
                "an async generator returns nothing that actual= could read; "
                "call current_reservation().record(...) inside"
            )
        return around_async_generator(function, partial(calls.guard, AsyncGuard))
    if inspect.isgeneratorfunction(kind):
        return around_generator(function, partial(calls.guard, Guard), calls.returned)
    if inspect.iscoroutinefunction(kind):
        return _coroutine(function, calls)
    return _function(function, calls)


def _function(function: Callable[..., Any], calls: Calls) -> Callable[..., Any]:
    def guarded(*args: Any, **kwargs: Any) -> Any:
        with calls.guard(Guard, args, kwargs) as spend:
            result = function(*args, **kwargs)
            if isinstance(result, CoroutineType):
                result.close()  # it has not begun, so nothing ran, and the hold is released
                raise TypeError(
                    f"{_name_of(function)} returned a coroutine, which would run unguarded; "
                    "make it an `async def`"
                )
            calls.returned(spend, result)
        return result

    return guarded


def _coroutine(function: Callable[..., Any], calls: Calls) -> Callable[..., Any]:
    async def guarded(*args: Any, **kwargs: Any) -> Any:
        async with calls.guard(AsyncGuard, args, kwargs) as spend:
            result = await function(*args, **kwargs)
            calls.returned(spend, result)
        return result

    return guarded

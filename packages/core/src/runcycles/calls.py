"""What every adapter does around a model call or a tool call, so that an adapter only translates.

An adapter says which model is asked, how much goes in and what limit the request sets, or which
tool is called; later it says what was used, or which error left. The estimate, the limit that
makes it a true bound, the caps, the settlement and the log line are the same for all frameworks,
and are here.
"""

import logging
from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    Callable,
    Generator,
    Iterable,
    Mapping,
)
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Final, Generic, NamedTuple, TypeVar

from runcycles.clients import AsyncCyclesClient, CyclesClient
from runcycles.decision_log import log_decision
from runcycles.errors import (
    ActionDeniedError,
    BudgetExceededError,
    ConfigurationError,
    CyclesError,
    ErrorCode,
    Problem,
)
from runcycles.guard import AsyncGuard, BaseGuard, Guard
from runcycles.pricing import ModelUsage, PriceBook
from runcycles.questions import OnAuthorityDown, runs_unasked
from runcycles.settlement import OnError, nothing_ran
from runcycles.streaming import settled, settled_async
from runcycles.tool_actions import ToolAction, action_on, scope_name
from runcycles.types import Action, Amount, DenyDetail, Subject, Unit, Usage

logger = logging.getLogger("runcycles.calls")

MODEL_CALL: Final = "llm.completion"
DEFAULT_MAX_TOKENS: Final = 4_096
"""The output limit set on a request that sets none; without one its cost has no bound."""
USEFUL_TOKENS: Final = 256
"""An answer of this length is worth having; a shorter limit is set only where nothing else fits."""
LEAST_TOKENS: Final = 16
"""A request is not squeezed below this; it is refused instead."""

G = TypeVar("G", bound=BaseGuard)
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRequest:
    """A model call about to be made. `input_tokens` is an upper bound of what goes in."""

    model: str
    input_tokens: int
    provider: str | None = None
    max_tokens: int | None = None


class BaseCall(Generic[G]):
    """One call that may run: its guard, and the output limit it must run with.

    `max_tokens` is None where the call has no limit to set: tools, and shadow mode.
    """

    def __init__(
        self, guard: G, *, max_tokens: int | None, price: Callable[[ModelUsage], Amount]
    ) -> None:
        self.guard = guard
        self.max_tokens = max_tokens
        self._price = price

    def _on_error(self, error: BaseException | None) -> OnError:
        """A model call is given back where nothing ran; of a tool nobody can prove that."""
        is_proven = self.guard.action.kind == MODEL_CALL and error and nothing_ran(error)
        return OnError.RELEASE if is_proven else OnError.COMMIT_ESTIMATE

    def used(self, usage: ModelUsage | None) -> None:
        """What a model call used. None, or what cannot be priced, is charged as the estimate."""
        if usage is None:
            return
        measured = Usage(
            tokens_input=usage.input_tokens,
            tokens_output=usage.output_tokens,
            model_version=self.guard.action.name[:128],
        )
        try:
            self.guard.record(measured, self._price(usage))
        except Exception:
            logger.warning(
                "the usage of %s could not be priced; its estimate is charged",
                self.guard.action.name,
                exc_info=True,
            )


class Call(BaseCall[Guard]):
    """A call that sync code makes."""

    def settle(self, error: BaseException | None = None) -> None:
        """End it, once; `error` is what left the call."""
        self.guard.settle(error, on_error=self._on_error(error))

    def stream(
        self, items: Iterable[T], usage_of: Callable[[T], ModelUsage | None]
    ) -> Generator[T, None, None]:
        """Pass a stream's items on, and end the call with it, however it ends."""
        return settled(items, lambda item: self.used(usage_of(item)), self.settle)


class AsyncCall(BaseCall[AsyncGuard]):
    """A call that async code makes."""

    async def settle(self, error: BaseException | None = None) -> None:
        """End it, once, however its task is cancelled; `error` is what left the call."""
        await self.guard.settle(error, on_error=self._on_error(error))

    def stream(
        self, items: AsyncIterable[T], usage_of: Callable[[T], ModelUsage | None]
    ) -> AsyncGenerator[T, None]:
        """Pass a stream's items on, and end the call with it, however it ends."""
        return settled_async(items, lambda item: self.used(usage_of(item)), self.settle)


C = TypeVar("C", bound=BaseCall[Any])


class _Caller(NamedTuple):
    agent: str | None
    run_id: str | None


class CallGuards:
    """Opens a guard for each model and tool call of a framework.

    Either kind of client serves sync and async frameworks. `unit` is what the budget counts:
    dollars need prices, tokens do not. `tools` maps names of tools; a tool that is neither mapped
    nor marked is the `unmapped` action. With `on_authority_down="run_and_record"` a call runs
    although nobody could be asked, and its spend is recorded as soon as that works.

    Raises:
        ConfigurationError: for a wrong setting, at construction.
    """

    def __init__(
        self,
        client: CyclesClient | AsyncCyclesClient,
        *,
        subject: Subject | None = None,
        prices: PriceBook | None = None,
        unit: Unit = Unit.USD_MICROCENTS,
        max_tokens: int = DEFAULT_MAX_TOKENS,
        tools: Mapping[str, ToolAction] | None = None,
        unmapped: ToolAction | None = None,
        on_authority_down: OnAuthorityDown = "stop",
    ) -> None:
        if unit not in {Unit.USD_MICROCENTS, Unit.TOKENS}:
            raise ConfigurationError(f"model calls are counted in dollars or tokens, not in {unit}")
        if type(max_tokens) is not int or max_tokens < LEAST_TOKENS:
            raise ConfigurationError(
                f"max_tokens is {max_tokens!r}; give a whole number from {LEAST_TOKENS}"
            )
        runs_unasked(on_authority_down)
        self._connection = client.connection
        self._subject = subject or Subject()
        self._prices = prices or PriceBook()
        self._unit = Unit(unit)  # people write it as text, too
        self._max_tokens = max_tokens
        self._tools = dict(tools or {})
        self._unmapped = unmapped or ToolAction()
        self._on_authority_down = on_authority_down
        # nothing it depends on ever changes, and the same few agents call again and again
        self._spender = lru_cache(maxsize=256)(self._subject_of)

    # ── opening ──────────────────────────────────────────────────────────────────────────────

    def model(
        self, request: ModelRequest, *, agent: str | None = None, run_id: str | None = None
    ) -> Call:
        """Reserve for a model call.

        Raises:
            DeniedError, CyclesTransportError, UnknownPriceError: the call must not be made.
        """
        return _open(self._opening_model(Call, Guard, request, _Caller(agent, run_id)))

    async def model_async(
        self, request: ModelRequest, *, agent: str | None = None, run_id: str | None = None
    ) -> AsyncCall:
        """`model` for async code."""
        caller = _Caller(agent, run_id)
        return await _open_async(self._opening_model(AsyncCall, AsyncGuard, request, caller))

    def tool(
        self,
        name: str,
        *marked: object,
        agent: str | None = None,
        run_id: str | None = None,
    ) -> Call:
        """Reserve for a tool call; `marked` are functions that may carry `cycles_action`.

        Raises:
            DeniedError, CyclesTransportError: the tool must not run.
        """
        return _open(self._opening_tool(Call, Guard, name, marked, _Caller(agent, run_id)))

    async def tool_async(
        self,
        name: str,
        *marked: object,
        agent: str | None = None,
        run_id: str | None = None,
    ) -> AsyncCall:
        """`tool` for async code."""
        caller = _Caller(agent, run_id)
        return await _open_async(self._opening_tool(AsyncCall, AsyncGuard, name, marked, caller))

    def _opening_model(
        self, kind: type[C], guards: type[G], request: ModelRequest, caller: _Caller
    ) -> Generator[G, None, C]:
        limit = self._max_tokens if request.max_tokens is None else request.max_tokens
        action = Action(kind=MODEL_CALL, name=request.model[:256])
        subject = self._spender(caller, None)
        guard = self._guard(guards, action, self._bound(request, limit), subject)
        try:
            yield guard
        except BudgetExceededError as refusal:
            if request.max_tokens is not None:
                raise  # the limit is the caller's own; a shorter answer is not ours to choose
            limit = self._affordable(request, limit, refusal)
            guard = self._guard(guards, action, self._bound(request, limit), subject)
            yield guard
        capped = guard.caps.max_tokens
        limit = limit if capped is None else min(limit, capped)
        sets_limit = not guard.is_observed
        return kind(
            guard,
            max_tokens=limit if sets_limit else None,
            price=lambda used: self._cost(request, used),
        )

    def _opening_tool(
        self,
        kind: type[C],
        guards: type[G],
        name: str,
        marked: tuple[object, ...],
        caller: _Caller,
    ) -> Generator[G, None, C]:
        tool = self._tools.get(name) or action_on(*marked) or self._unmapped
        estimate = tool.estimate or Amount(unit=self._unit, amount=0)
        action = Action(kind=tool.kind, name=name[:256], policy_keys=tool.policy_keys)
        guard = self._guard(guards, action, estimate, self._spender(caller, tool.toolset))
        yield guard
        return kind(guard, max_tokens=None, price=lambda _: estimate)

    def _guard(self, kind: type[G], action: Action, estimate: Amount, subject: Subject) -> G:
        return kind(
            self._connection,
            action=action,
            estimate=estimate,
            subject=subject,
            on_authority_down=self._on_authority_down,
        )

    def _subject_of(self, caller: _Caller, toolset: str | None) -> Subject:
        given = self._subject
        run = {} if caller.run_id is None else {"run_id": caller.run_id[:256]}
        named = replace(
            given,
            agent=given.agent or scope_name(caller.agent),
            toolset=given.toolset or toolset,
        )
        return self._connection.subject_of(named, run)

    # ── amounts ──────────────────────────────────────────────────────────────────────────────

    def _bound(self, request: ModelRequest, most: int) -> Amount:
        if self._unit is Unit.TOKENS:
            return Amount(unit=Unit.TOKENS, amount=request.input_tokens + most)
        return self._prices.bound(
            request.model,
            input_tokens=request.input_tokens,
            output_tokens=most,
            provider=request.provider,
        )

    def _cost(self, request: ModelRequest, used: ModelUsage) -> Amount:
        if self._unit is Unit.TOKENS:
            return Amount(unit=Unit.TOKENS, amount=used.input_tokens + used.output_tokens)
        return self._prices.cost(request.model, used, provider=request.provider)

    def _affordable(self, request: ModelRequest, limit: int, refusal: BudgetExceededError) -> int:
        """A limit that what remains can pay; the refusal stands where that is of no use.

        Not all of it, where a quarter is enough: other calls may be waiting for the rest.
        """
        left = refusal.remaining or 0
        modest = self._within(request, limit, left // 4)
        most = modest if modest >= USEFUL_TOKENS else self._within(request, limit, left)
        if most < LEAST_TOKENS:
            raise refusal
        return most

    def _within(self, request: ModelRequest, limit: int, budget: int) -> int:
        if self._unit is Unit.TOKENS:
            return min(limit, budget - request.input_tokens)
        return self._prices.output_within(
            request.model,
            input_tokens=request.input_tokens,
            most=limit,
            budget=budget,
            provider=request.provider,
        )


def _open(opening: Generator[Guard, None, Call]) -> Call:
    guard = next(opening)
    while True:
        try:
            guard.open()
        except CyclesError as problem:
            log_decision(guard, problem)
            guard = opening.throw(problem)
            continue
        log_decision(guard)
        try:
            guard = opening.send(None)
        except StopIteration as done:
            call: Call = done.value
            if refusal := _denied_tool(guard):
                guard.settle(refusal, on_error=OnError.RELEASE)
                raise refusal from None
            return call


async def _open_async(opening: Generator[AsyncGuard, None, AsyncCall]) -> AsyncCall:
    guard = next(opening)
    while True:
        try:
            await guard.open()
        except CyclesError as problem:
            log_decision(guard, problem)
            guard = opening.throw(problem)
            continue
        log_decision(guard)
        try:
            guard = opening.send(None)
        except StopIteration as done:
            call: AsyncCall = done.value
            if refusal := _denied_tool(guard):
                await guard.settle(refusal, on_error=OnError.RELEASE)
                raise refusal from None
            return call


def _denied_tool(guard: BaseGuard) -> ActionDeniedError | None:
    """The refusal of a tool that the caps of its own permission rule out."""
    if guard.action.kind == MODEL_CALL or guard.caps.allows_tool(guard.action.name):
        return None
    fix = f"Allow the tool {guard.action.name} in the caps of this scope."
    return ActionDeniedError(
        Problem(
            status=200,
            error_code=ErrorCode.ACTION_KIND_NOT_ALLOWED,
            reason_code=ErrorCode.ACTION_KIND_NOT_ALLOWED,
            message=f"the caps of this permission rule out the tool {guard.action.name}",
            trace_id=guard.trace_id,
            deny_detail=DenyDetail(
                reason_code=ErrorCode.ACTION_KIND_NOT_ALLOWED, suggested_fix=fix
            ),
        )
    )

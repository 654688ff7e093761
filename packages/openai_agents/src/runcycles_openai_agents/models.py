"""A model that asks before each request, below the SDK's own retries."""

from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import replace
from inspect import signature
from typing import Any, Final

import agents as sdk

from runcycles.asked import Asked, calls_of
from runcycles.calls import AsyncCall
from runcycles_openai_agents.options import run_id
from runcycles_openai_agents.refusals import STOPPING, RunStopped, Settling
from runcycles_openai_agents.usage import TERMINAL, request_of, usage_in, usage_of

ASKED: Final = signature(sdk.Model.get_response).parameters.values()
PLACED: Final = tuple(each.name for each in ASKED if each.kind is each.POSITIONAL_OR_KEYWORD)[1:]
"""What the SDK hands to a model by its place, in some calls, or by its name, in others."""


class CyclesModel(sdk.Model):
    """A model, or the name of one, whose every request is reserved before and settled after.

    Give it to an agent or to `RunConfig(model=...)`. `agent` is who spends; `options` are those of
    `runcycles.calls.CallGuards`. What it does not do itself, it leaves to the model.
    """

    def __init__(
        self,
        client_or_calls: Asked,
        model: sdk.Model | str | None,
        *,
        agent: str | None = None,
        provider: sdk.ModelProvider | None = None,
        **options: Any,
    ) -> None:
        self._calls = calls_of(client_or_calls, options)
        self._given = model
        self._provider = provider or sdk.MultiProvider()
        self._agent = agent

    @property
    def inner(self) -> sdk.Model:
        """The model itself."""
        given = self._given
        model = given if isinstance(given, sdk.Model) else self._provider.get_model(given)
        return model.inner if isinstance(model, CyclesModel) else model  # asked for once

    def for_agent(self, agent: str) -> "CyclesModel":
        """The same model, with this agent spending."""
        return CyclesModel(self._calls, self._given, agent=agent, provider=self._provider)

    async def get_response(self, *given: Any, **named: Any) -> sdk.ModelResponse:
        """Ask, then let the model answer."""
        model, asked = self.inner, _by_name(given, named)
        call = await self._open(model, asked)
        async with Settling(call):
            response = await model.get_response(*_placed(asked), **asked)
            call.guard.result = response
            call.used(usage_of(response.usage))
        return response

    async def stream_response(self, *given: Any, **named: Any) -> AsyncIterator[Any]:
        """Ask, then pass the model's events on; settled before the last one is."""
        model, asked = self.inner, _by_name(given, named)
        call = await self._open(model, asked, include_usage=True)
        async with Settling(call):
            events = model.stream_response(*_placed(asked), **asked)
            async with aclosing(call.stream(events, usage_in)) as watched:
                async for event in watched:
                    if getattr(event, "type", None) in TERMINAL:  # a listener may stop here
                        with STOPPING:
                            await call.settle()
                    yield event

    async def _open(self, model: sdk.Model, asked: dict[str, Any], **settings: Any) -> AsyncCall:
        """Reserve, and set the limit that makes the estimate a bound."""
        request = request_of(model, asked)
        with STOPPING:
            call = await self._calls.model_async(request, agent=self._agent, run_id=run_id())
        if call.max_tokens is not None:
            settings["max_tokens"] = call.max_tokens
        if settings:
            asked["model_settings"] = replace(asked["model_settings"], **settings)
        return call

    def get_retry_advice(self, request: Any) -> sdk.ModelRetryAdvice | None:
        """A refusal is final; about everything else the model knows best."""
        if not isinstance(request.error, RunStopped):
            return self.inner.get_retry_advice(request)
        final = sdk.ModelRetryNormalizedError(is_abort=True)
        return sdk.ModelRetryAdvice(suggested=False, replay_safety="unsafe", normalized=final)

    async def close(self) -> None:
        """Close the model."""
        await self.inner.close()

    async def _cleanup_on_run_end(self, owner: object) -> None:
        await self.inner._cleanup_on_run_end(owner)  # noqa: SLF001 - passed on as it came

    def __getattr__(self, name: str) -> Any:
        if name in {"_given", "_provider"}:  # of a copy that is not filled yet
            raise AttributeError(name)
        try:
            model = self.inner
        except Exception as exc:
            raise AttributeError(name) from exc
        return getattr(model, name)


def _by_name(given: tuple[Any, ...], named: dict[str, Any]) -> dict[str, Any]:
    return {**dict(zip(PLACED, given, strict=False)), **named}


def _placed(asked: dict[str, Any]) -> list[Any]:
    """What has a place, taken out of there: a model may call these as it likes."""
    return [asked.pop(name) for name in PLACED]


class CyclesModelProvider(sdk.ModelProvider):
    """Models by name, each of which asks: `RunConfig(model_provider=CyclesModelProvider(client))`.

    Runs of agents used as tools inherit it. It is not consulted for an agent that holds a model
    object, and cannot see which agent is asking.
    """

    def __init__(
        self, client_or_calls: Asked = None, inner: sdk.ModelProvider | None = None, **options: Any
    ) -> None:
        self._calls = calls_of(client_or_calls, options)
        self._inner = inner or sdk.MultiProvider()

    def get_model(self, model_name: str | None) -> sdk.Model:
        """The inner provider's model, guarded."""
        return CyclesModel(self._calls, self._inner.get_model(model_name))

    async def aclose(self) -> None:
        """Close the inner provider."""
        await self._inner.aclose()

"""Models and tools of an agent that ask, put in place by the agent's own middleware."""

from collections.abc import Awaitable, Callable
from typing import Any

from runcycles import ConfigurationError
from runcycles_langchain.guards import guard_model, guard_tools
from runcycles_langchain.options import Asked, calls_of

try:
    from langchain.agents.middleware import AgentMiddleware
except ImportError as exc:  # the extra `agents` is not installed
    AgentMiddleware = object  # type: ignore[misc,assignment]
    _missing: ImportError | None = exc
else:
    _missing = None


class CyclesMiddleware(AgentMiddleware):
    """Guards whatever model and tools an agent's step uses; those that ask already are left alone.

    Put it last in the list: what comes after it could put another model in place.

    Raises:
        ConfigurationError: where langchain is not installed, and for a wrong option.
    """

    def __init__(self, client_or_calls: Asked = None, /, **options: Any) -> None:
        if _missing is not None:
            raise ConfigurationError(
                "CyclesMiddleware needs langchain: pip install 'runcycles-langchain[agents]'"
            ) from _missing
        super().__init__()
        self._calls = calls_of(client_or_calls, options)

    def wrap_model_call(self, request: Any, handler: Callable[[Any], Any]) -> Any:
        """Let the model ask."""
        return handler(self._with_model(request))

    async def awrap_model_call(self, request: Any, handler: Callable[[Any], Awaitable[Any]]) -> Any:
        """Let the model ask."""
        return await handler(self._with_model(request))

    def wrap_tool_call(self, request: Any, handler: Callable[[Any], Any]) -> Any:
        """Let the tool ask."""
        return handler(self._with_tool(request))

    async def awrap_tool_call(self, request: Any, handler: Callable[[Any], Awaitable[Any]]) -> Any:
        """Let the tool ask."""
        return await handler(self._with_tool(request))

    def _with_model(self, request: Any) -> Any:
        return request.override(model=guard_model(request.model, self._calls))

    def _with_tool(self, request: Any) -> Any:
        if request.tool is None:  # unknown to the agent, which will say so
            return request
        return request.override(tool=guard_tools([request.tool], self._calls)[0])

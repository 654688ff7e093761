"""Models and tools of an agent that ask, put in place by the agent's own middleware."""

from collections.abc import Callable
from typing import Any

from runcycles import ConfigurationError
from runcycles.asked import Asked, calls_of
from runcycles_langchain.guards import guard_model, guard_tools

try:
    from langchain.agents.middleware import AgentMiddleware
except ImportError:  # the extra `agents` is not installed
    AgentMiddleware = object  # type: ignore[misc,assignment]  # stands in


class CyclesMiddleware(AgentMiddleware):
    """Guards whatever model and tools an agent's step uses; those that ask already are left alone.

    Put it last in the list: what comes after it could put another model in place.

    Raises:
        ConfigurationError: where langchain is not installed, and for a wrong option.
    """

    def __init__(self, client_or_calls: Asked = None, /, **options: Any) -> None:
        if AgentMiddleware is object:
            raise ConfigurationError("needs langchain: pip install 'runcycles-langchain[agents]'")
        super().__init__()
        self._calls = calls_of(client_or_calls, options)

    def wrap_model_call(self, request: Any, handler: Callable[[Any], Any]) -> Any:
        """Let the model ask."""
        return handler(request.override(model=guard_model(request.model, self._calls)))

    def wrap_tool_call(self, request: Any, handler: Callable[[Any], Any]) -> Any:
        """Let the tool ask; one that the agent does not have is told so by the agent."""
        tools = guard_tools([request.tool] if request.tool else [], self._calls)
        return handler(request.override(tool=tools[0]) if tools else request)

    # an async handler returns what is awaited by whoever called us
    awrap_model_call: Any = wrap_model_call
    awrap_tool_call: Any = wrap_tool_call

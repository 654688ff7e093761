"""What the entry points of this adapter have in common."""

from typing import Any

from crewai.utilities.string_utils import sanitize_tool_name

from runcycles.asked import Asked
from runcycles.asked import calls_of as calls_by_name
from runcycles.calls import CallGuards


def calls_of(asked: Asked, options: dict[str, Any]) -> CallGuards:
    """What opens the guards. Tools may be mapped by the name they were given, or as CrewAI says it.

    Raises:
        ConfigurationError: where nobody can be asked, or for a wrong option.
    """
    if tools := options.get("tools"):
        named = {sanitize_tool_name(name): action for name, action in tools.items()}
        options = {**options, "tools": named}
    return calls_by_name(asked, options)

"""The client that decorated functions and adapters use where they are given none.

This is the one place with state of the whole process, and nothing sets it but its user.
"""

from runcycles.clients import AsyncCyclesClient, CyclesClient
from runcycles.errors import ConfigurationError

AnyClient = CyclesClient | AsyncCyclesClient

_default: AnyClient | None = None


def set_default_client(client: AnyClient | None) -> None:
    """Use this client wherever none is given, from the next call on; None takes it away.

    Either kind serves sync and async code alike.
    """
    global _default  # noqa: PLW0603 - the process's one default, set by the program alone
    _default = client


def default_client() -> AnyClient:
    """The client that was set.

    Raises:
        ConfigurationError: where none was.
    """
    if _default is None:
        raise ConfigurationError(
            "no client: pass client=..., or call once, when the program starts, "
            "set_default_client(CyclesClient(CyclesConfig.from_env()))"
        )
    return _default

"""How many connections the system lets this process have; each is an open file to it."""

from typing import Final

from runcycles_server.http.connection import MAX_CONNECTIONS, SURPLUS

OTHER_FILES: Final = 64
"""The store's, the logs', the event loop's own."""


def most_connections() -> int:
    """How many connections to serve: as many as we serve well, if there are files for them.

    What the system allows this process at most is asked for first.
    """
    others = SURPLUS + OTHER_FILES
    return max(1, min(MAX_CONNECTIONS, _files_allowed(MAX_CONNECTIONS + others) - others))


def _files_allowed(wanted: int) -> int:
    try:
        import resource  # noqa: PLC0415 - there is none on Windows, and no such limit
    except ImportError:  # pragma: no cover - only on Windows
        return wanted
    allowed, ceiling = resource.getrlimit(resource.RLIMIT_NOFILE)
    unlimited = resource.RLIM_INFINITY
    if allowed == unlimited or allowed >= wanted:
        return wanted
    allowed = wanted if ceiling == unlimited else min(wanted, ceiling)
    resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, ceiling))
    return allowed

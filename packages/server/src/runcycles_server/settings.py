"""What a server is told when it starts."""

from dataclasses import dataclass, field
from typing import Final

from runcycles.errors import CyclesError

DEFAULT_HOST: Final = "127.0.0.1"
DEFAULT_PORT: Final = 7878
DEFAULT_STORE: Final = "sqlite:///cycles.db"
STDERR: Final = "-"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Where a server listens, what it keeps its records in, and who may govern it.

    Port 0 lets the system choose. Without an admin key the one made at the store's first start
    holds. `access_log` is a file, `-` for standard error, None for no log.
    """

    host: str = DEFAULT_HOST
    port: int = DEFAULT_PORT
    store: str = DEFAULT_STORE
    admin_key: str | None = field(default=None, repr=False)
    access_log: str | None = STDERR


class StartError(CyclesError):
    """The server cannot start; the sentence says why."""

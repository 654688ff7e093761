"""What a server is told when it starts."""

from dataclasses import dataclass, field
from typing import Final

from runcycles.errors import CyclesError

DEFAULT_HOST: Final = "127.0.0.1"
DEFAULT_PORT: Final = 7878
DEFAULT_STORE: Final = "sqlite:///cycles.db"
STDERR: Final = "-"
DEFAULT_REGISTRY_PACE: Final = 60
"""The protocol's baseline."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Where a server listens, what it keeps its records in, and who may govern it.

    Port 0 lets the system choose. Without an admin key the one made at the store's first start
    holds. `registry_pace` is how often in a minute one address may ask for the registry of kinds,
    0 as often as it likes. With `metrics`, whoever reaches the server may read what it counts.
    `access_log` is a file, `-` for standard error, None for no log.
    """

    host: str = DEFAULT_HOST
    port: int = DEFAULT_PORT
    store: str = DEFAULT_STORE
    admin_key: str | None = field(default=None, repr=False)
    access_log: str | None = STDERR
    metrics: bool = False
    registry_pace: int = DEFAULT_REGISTRY_PACE


class StartError(CyclesError):
    """The server cannot start; the sentence says why."""

"""What is kept of requests' bodies, of all connections together.

One body is bounded, and so are connections, but their product is gigabytes. So what a connection
keeps beyond the size of an ordinary question counts against one budget for all; who does not fit
is told to come back, and ordinary questions are taken whatever others send.
"""

from typing import Final

ORDINARY_BYTES: Final = 16 * 1024
"""What each connection may keep uncounted; questions of the protocol need about one KiB."""
MAX_KEPT_BYTES: Final = 64 * 1024 * 1024
"""What all connections may keep beyond that."""
TURNED_AWAY: Final = "runcycles.turned_away"
"""In the scope of a request whose body was not kept, since too much is kept already."""


class Bodies:
    """Counts what the connections of one server keep beyond what is ordinary."""

    __slots__ = ("kept",)

    def __init__(self) -> None:
        self.kept = 0

    def add(self, size: int) -> bool:
        """Count so many bytes more, or fewer; False where they are too many, and none counts."""
        if size > 0 and self.kept + size > MAX_KEPT_BYTES:
            return False
        self.kept += size
        return True

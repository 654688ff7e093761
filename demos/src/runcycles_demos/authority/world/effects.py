"""What has happened in the world. Effects are added and never taken back."""

import threading
import time
from dataclasses import dataclass

EMAIL, NOTE, STATUS, REVIEW = "email", "note", "status", "review"


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """One thing that is different now; the moment is in monotonic seconds."""

    at: float
    kind: str
    case: str  # of an e-mail, whom it went to
    text: str


class Effects:
    """All effects in their order. Whoever adds one has made it happen before."""

    def __init__(self) -> None:
        self._effects: list[Effect] = []
        self._lock = threading.Lock()

    def add(self, kind: str, case: str, text: str) -> None:
        """Append an effect of this moment."""
        with self._lock:
            self._effects.append(Effect(at=time.monotonic(), kind=kind, case=case, text=text))

    def since(self, index: int) -> list[Effect]:
        """Return the effects from a position on."""
        with self._lock:
            return self._effects[index:]

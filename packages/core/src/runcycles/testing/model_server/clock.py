"""The clock that the model's pace hangs on."""

import asyncio
import time


class Clock:
    """Monotonic seconds, and a way to wait for them; a test hands in one that never waits."""

    def now(self) -> float:
        """Return monotonic seconds."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Wait so many seconds."""
        await asyncio.sleep(seconds)

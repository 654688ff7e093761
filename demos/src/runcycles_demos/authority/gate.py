"""Where the model waits for the operator, so that what comes first is not left to chance."""

import contextlib
import queue
import threading
from collections.abc import Callable

Act = Callable[[], None]


class Gate:
    """Acts that one thread wants done, done by another one while the first waits."""

    def __init__(self) -> None:
        self._wanted: queue.SimpleQueue[tuple[Act, threading.Event]] = queue.SimpleQueue()
        self._closed = threading.Event()
        self._waiting: list[threading.Event] = []

    def wait(self, act: Act) -> None:
        """Wait until this has been done, or nothing will be done any more."""
        done = threading.Event()
        self._waiting.append(done)  # first, so that whoever closes cannot overlook it
        if not self._closed.is_set():
            self._wanted.put((act, done))
            done.wait()

    def serve(self) -> None:
        """Do what is wanted, and let go of whoever waits for it."""
        with contextlib.suppress(queue.Empty):
            while True:
                act, done = self._wanted.get_nowait()
                act()
                done.set()

    def close(self) -> None:
        """Let everybody go; nothing is done any more."""
        self._closed.set()
        for done in self._waiting:
            done.set()

"""What is told of the guard's questions to the server.

The demo asks the refused question again, to the letter and under the same key, and the key is made
inside of the guard. So is what only the guard is told: what a dry run says, and how much of an
estimate a commit gives back.
"""

from runcycles.ops import Commit, Committed, Denied, Record, Reserve
from runcycles.wire import encode_body
from runcycles_demos.kit.overhearing import Heard
from runcycles_demos.kit.telling import Tell


class Questions:
    """Tells of each question that was answered, and keeps the last one."""

    def __init__(self, tell: Tell) -> None:
        self._tell = tell
        self._asked: Reserve | None = None

    @property
    def last(self) -> str | None:
        """The body of the last request for a reservation, as it was sent."""
        body = None if self._asked is None else encode_body(self._asked)
        return None if body is None else body.decode()

    def hear(self, heard: Heard) -> None:
        """Tell of a question, if it is one of a guard's; an error is the agent's to tell."""
        if isinstance(heard.op, Reserve):
            self._asked = heard.op
        if isinstance(heard.answer, Exception):
            return
        now, ms = heard.answered_at, heard.ms
        match heard.op:
            case Reserve() as op:
                refused = heard.answer.reason_code if isinstance(heard.answer, Denied) else None
                word = "dry_run" if op.dry_run else "reserve"
                self._tell("asked", now, op=word, ms=ms, refused=refused)
            case Commit() if isinstance(heard.answer, Committed):
                released = heard.answer.released.amount if heard.answer.released else 0
                self._tell("asked", now, op="commit", ms=ms, released=released)
            case Record():
                self._tell("asked", now, op="record", ms=ms)
            case _:
                pass

"""Who carries questions to an authority: the shapes that clients rely on."""

from contextvars import ContextVar
from typing import Final, Protocol, TypeVar

from runcycles.ids import trace_of
from runcycles.ops import Op

R = TypeVar("R")


class Transport(Protocol):
    """Carries one question and brings its answer. Used from several threads at once."""

    def send(self, op: Op[R]) -> R:
        """The answer to a question.

        Raises:
            CyclesProtocolError: every answer that is not a success, as its own class; a denied
                live reserve among them. A denied dry run or decide is a value.
            CyclesTransportError: no answer, or a success that cannot be read.
        """
        ...

    def close(self) -> None:
        """Give back what is open; closing twice is fine."""
        ...


class AsyncTransport(Protocol):
    """The same for async code. Used from any event loop, and from several one after the other."""

    async def send(self, op: Op[R]) -> R:
        """The answer to a question; raises as `Transport.send` does."""
        ...

    async def aclose(self) -> None:
        """Give back what this event loop holds open; closing twice is fine."""
        ...


class LocalAuthority(Protocol):
    """An authority inside this process, which a client takes in place of an address.

    Its transports never lose an answer, and may be used from several threads at once.
    """

    @property
    def tenant(self) -> str:
        """The tenant that spends where neither the call nor the config names one."""
        ...

    def transport(self) -> Transport:
        """What a sync client sends its questions through."""
        ...

    def async_transport(self) -> AsyncTransport:
        """What an async client sends its questions through."""
        ...


class Sending:
    """What a question has in common with the others of its flow.

    Its trace follows from `key`, the idempotency key of the first one or any other id. `timeout`
    bounds one attempt, in seconds, where it has to be shorter than the config's.
    """

    __slots__ = ("key", "timeout")

    def __init__(self, key: str, timeout: float | None = None) -> None:
        self.key = key
        self.timeout = timeout

    @property
    def trace_id(self) -> str:
        """The W3C trace id, 32 hex digits."""
        return trace_of(self.key)


SENDING: Final[ContextVar[Sending | None]] = ContextVar("runcycles_sending", default=None)
"""Set by the drivers around a flow, read by the transports."""

"""The provider's bill, read from the meter of the process that bills."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from runcycles_demos.kit.trouble import StackError

_READ_S = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class BilledCall:
    """One request that reached the provider; the moment is in monotonic seconds."""

    at: float
    microcents: int
    body: str  # a digest of what was asked, without ids


@dataclass(frozen=True, slots=True, kw_only=True)
class Bill:
    """What the provider charges one lane."""

    requests: int = 0
    microcents: int = 0
    calls: tuple[BilledCall, ...] = ()

    @property
    def bodies(self) -> tuple[str, ...]:
        """Digests of what was asked, in order."""
        return tuple(call.body for call in self.calls)


class Meter:
    """A reader of the meter; it has no way to change it."""

    def __init__(self, base_url: str) -> None:
        self._client = httpx.Client(base_url=base_url, timeout=_READ_S, trust_env=False)

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def read(self, *, calls: int = 0) -> Mapping[str, Bill]:
        """Return the bill of every lane that has asked something, with at most so many calls.

        Raises:
            StackError: the meter does not answer.
        """
        try:
            answer = self._client.get("/meter", params={"calls": calls}).raise_for_status().json()
        except httpx.HTTPError as exc:
            raise StackError(f"The provider's meter does not answer: {exc}.") from exc
        return {run: _bill(told) for run, told in answer["runs"].items()}


def _bill(told: Mapping[str, Any]) -> Bill:
    return Bill(
        requests=told["requests"],
        microcents=told["billed_microcents"],
        calls=tuple(
            BilledCall(at=call["at"], microcents=call["billed_microcents"], body=call["body"])
            for call in told["calls"]
        ),
    )

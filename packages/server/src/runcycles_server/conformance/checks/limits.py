"""The longest and the largest that the protocol allows: taken, and given back whole."""

from collections.abc import Callable
from typing import Any, Final

from runcycles_server.conformance.expecting import done, same
from runcycles_server.conformance.registry import Topic
from runcycles_server.conformance.setups import Setup
from runcycles_server.conformance.stand import Stand

topic = Topic()
check = topic.check

GOOD: Final = {"kind": "llm.completion", "name": "conformance"}
Changes = Callable[[Stand], dict[str, Any]]
TAKEN: Final[dict[str, tuple[Changes, ...]]] = {
    "RT-LIMIT-001": (
        lambda stand: {"idempotency_key": f"{stand.tenant}{'k' * 256}"[:256]},
        lambda _: {"idempotency_key": "k"},
    ),
    "RT-LIMIT-002": (lambda stand: {"subject": stand.subject(agent="a" * 128)},),
    "RT-LIMIT-003": (lambda stand: {"subject": stand.subject(agent="aZ09_.-", app="..")},),
    "RT-LIMIT-004": (
        lambda stand: {
            "subject": stand.subject(dimensions={f"d{n}": "x" * 256 for n in range(16)})
        },
        lambda stand: {"subject": stand.subject(dimensions={"d": ""})},
        lambda stand: {"subject": stand.subject(dimensions={})},
    ),
    "RT-LIMIT-005": (
        lambda _: {"action": {**GOOD, "kind": "k" * 64}},
        lambda _: {"action": {**GOOD, "kind": "k"}},
    ),
    "RT-LIMIT-006": (
        lambda _: {"action": {**GOOD, "name": "n" * 256}},
        lambda _: {"action": {**GOOD, "name": "n"}},
    ),
    "RT-LIMIT-007": (
        lambda _: {"action": {**GOOD, "tags": ["t" * 64] * 10}},
        lambda _: {"action": {**GOOD, "tags": []}},
    ),
    "RT-LIMIT-008": (
        lambda _: {"ttl_ms": 1_000},
        lambda _: {"ttl_ms": 86_400_000},
    ),
    "RT-LIMIT-009": (
        lambda _: {"grace_period_ms": 0},
        lambda _: {"grace_period_ms": 60_000},
    ),
    "RT-LIMIT-010": (
        lambda _: {"metadata": {}},
        lambda _: {"metadata": {f"m{n}": ["x" * 100] for n in range(100)}},
    ),
}


def _takes(requirement: str, several: tuple[Changes, ...]) -> None:
    @check(requirement)
    async def takes(stand: Stand) -> None:
        for changes in several:
            await stand.held(1, **changes(stand))


for _requirement, _several in TAKEN.items():
    _takes(_requirement, _several)


@check("RT-LIMIT-011", Setup(settings={"max_reservation_extensions": 10}))
async def extensions_may_be_short_and_long(stand: Stand) -> None:
    for by_ms in (1, 86_400_000):
        done(await stand.extend(await stand.held(1), by_ms))


@check("RT-LIMIT-012")
async def a_key_of_any_text_is_taken(stand: Stand) -> None:
    for key in ("\u00e9", "\U0001f680", "a/b:c?d#e", "\u202e", "'; --", " "):
        wanted = await stand.held(1, idempotency_key=key)
        same(await stand.held(1, idempotency_key=key), wanted, f"id of the replay under {key!r}")

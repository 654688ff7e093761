"""Many clients at once, and a witness of what they were told, for servers that may not survive."""

import asyncio
import itertools
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.support.lines import HungUpError, Line

CONNECTIONS = 32
ACKNOWLEDGED = 1_000
AT_MOST_LATER = 300


def tokens(amount: int) -> dict[str, Any]:
    return {"unit": "TOKENS", "amount": amount}


@dataclass
class Witness:
    """What the clients saw acknowledged, and what they asked without ever hearing back.

    What failed counts as not answered: it says that asking again is safe, and no more.
    """

    held: dict[str, int] = field(default_factory=dict)
    charged: dict[str, int] = field(default_factory=dict)
    released: set[str] = field(default_factory=set)
    recorded: int = 0
    tight: set[str] = field(default_factory=set)
    unanswered: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    failed: int = 0
    odd: list[tuple[int, dict[str, Any]]] = field(default_factory=list)
    effects: int = 0


class Load:
    """Many clients, each asking one thing after the other until the server is gone."""

    def __init__(self, tenant: str, key: str, base_url: str) -> None:
        self.tenant = tenant
        self.key = key
        self.base_url = base_url
        self.witness = Witness()
        self._keys = itertools.count()
        self._moment = ACKNOWLEDGED + random.randrange(AT_MOST_LATER)
        self._enough = asyncio.Event()

    async def run(self, stop: Callable[[], None]) -> None:
        """Load the server; call `stop` once, somewhere after enough was acknowledged."""
        async with asyncio.TaskGroup() as group:
            for _ in range(CONNECTIONS):
                group.create_task(self._client())
            async with asyncio.timeout(60):
                await self._enough.wait()
            stop()

    async def _client(self) -> None:
        try:
            async with Line(self.base_url, self.key) as line:
                while True:
                    await self._round(line)
        except HungUpError:
            pass

    async def _round(self, line: Line) -> None:
        if random.random() < 0.1:
            body = {"subject": self._subject(tight=False), "actual": tokens(3)}
            status, _ = await self._ask(line, "/v1/events", 3, body)
            self.witness.recorded += 3 if status == 201 else 0
            return
        tight = random.random() < 0.3
        amount = 1 if tight else random.randint(1, 9)
        body = {"subject": self._subject(tight=tight), "estimate": tokens(amount)}
        status, said = await self._ask(line, "/v1/reservations", amount, body)
        if status != 200:
            return
        held = said["reservation_id"]
        self.witness.held[held] = amount
        if tight:
            self.witness.tight.add(held)
        await self._settle(line, held, amount, tight=tight)

    def _subject(self, *, tight: bool) -> dict[str, str]:
        return {"tenant": self.tenant, "agent": "tight" if tight else "wide"}

    async def _settle(self, line: Line, held: str, amount: int, *, tight: bool) -> None:
        chance = random.random()
        if chance < 0.5:
            path, charged = f"/v1/reservations/{held}/commit", random.randint(0, amount)
            status, _ = await self._ask(line, path, 0, {"actual": tokens(charged)})
            if status == 200:
                self.witness.charged[held] = charged
        elif chance < 0.8:
            status, _ = await self._ask(line, f"/v1/reservations/{held}/release", 0, {})
            if status == 200:
                self.witness.released.add(held)

    async def _ask(
        self, line: Line, path: str, amount: int, body: dict[str, Any]
    ) -> tuple[int, dict[str, Any]]:
        asked = {"idempotency_key": f"{self.tenant}-{next(self._keys)}", **body}
        if "subject" in body:
            asked["action"] = {"kind": "llm.completion", "name": "gpt-4o"}
        try:
            status, said = await line.post(path, asked)
        except HungUpError:
            self.witness.unanswered.append((path, asked))
            raise
        if status < 300:
            self.witness.effects += 1
            if self.witness.effects >= self._moment:
                self._enough.set()
        elif status == 500:
            self.witness.failed += 1
            self.witness.unanswered.append((path, asked))
        elif status != 409:
            self.witness.odd.append((status, said))
        return status, said

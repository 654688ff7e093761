"""Runs the checks, several at once, the slow ones first, each on a stand of its own."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

import anyio

from runcycles_server.conformance.claims import Claims
from runcycles_server.conformance.client import Answer, ViolationError
from runcycles_server.conformance.provisioning import Provisioner
from runcycles_server.conformance.registry import Check, Watch
from runcycles_server.conformance.requirements import Level, Profile, Requirement

AT_ONCE: Final = 8
"""Checks in flight besides the slow ones; each is a client of its own."""
DEADLINE_S: Final = 45.0
"""A check that takes longer has met a server that hangs."""


class Verdict(StrEnum):
    """What became of a requirement."""

    PASSED = "passed"
    FAILED = "failed"
    NOT_CLAIMED = "not claimed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One requirement: what was found, why, and the exchange that shows it."""

    requirement: Requirement
    verdict: Verdict
    why: str = ""
    shown: str = ""
    seconds: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """All results, in the order of the manifest."""

    results: tuple[Result, ...]
    seconds: float

    @property
    def conforms(self) -> bool:
        """Whether every MUST of what is claimed passed, and something is claimed at all."""
        claimed = [each for each in self.results if each.verdict is not Verdict.NOT_CLAIMED]
        return bool(claimed) and not any(self.failed(Level.MUST))

    def failed(self, level: Level) -> list[Result]:
        """What failed of this level."""
        return [
            result
            for result in self.results
            if result.verdict is Verdict.FAILED and result.requirement.level is level
        ]

    def count(self, verdict: Verdict, profile: Profile | None = None) -> int:
        """How many requirements, of one profile or of all, have this verdict."""
        return sum(
            result.verdict is verdict and profile in (None, result.requirement.profile)
            for result in self.results
        )


@dataclass(slots=True)
class _Watched:
    """What a watch has seen so far: the first complaint stays."""

    watch: Watch
    seen: int = 0
    why: str = ""
    shown: str = ""

    def look(self, answer: Answer) -> None:
        complaints = self.watch.look(answer)
        if complaints is None:
            return
        self.seen += 1
        for complaint in complaints:
            if not self.why:
                self.why, self.shown = complaint, str(answer)


@dataclass(slots=True)
class _Finding:
    why: str = ""
    shown: str = ""
    seconds: float = 0.0


@dataclass(slots=True)
class _Run:
    provisioner: Provisioner
    watched: list[_Watched]
    on_result: Callable[[str], None]
    found: dict[str, _Finding] = field(default_factory=dict)

    async def check(self, check: Check) -> None:
        heard: list[Answer] = []

        def hear(answer: Answer) -> None:
            heard.append(answer)
            for watched in self.watched:
                watched.look(answer)

        finding = _Finding()
        started = time.perf_counter()
        try:
            with anyio.fail_after(DEADLINE_S):
                await check.run(await self.provisioner.stand(check, hear))
        except ViolationError as violation:
            finding.why = str(violation)
        except TimeoutError:
            finding.why = f"not done within {DEADLINE_S:.0f} s"
        except Exception as surprise:  # noqa: BLE001 - whatever a server answers fails one check
            finding.why = f"an answer has another shape than the check can read: {surprise!r}"
        if finding.why and heard:
            finding.shown = str(heard[-1])
        finding.seconds = time.perf_counter() - started
        self.found[check.requirement] = finding
        self.on_result(check.requirement)


async def run(
    checks: Sequence[Check | Watch],
    requirements: Iterable[Requirement],
    provisioner: Provisioner,
    claims: Claims,
    *,
    on_result: Callable[[str], None] = lambda _: None,
) -> Report:
    """Check everything that the server claims."""
    started = time.perf_counter()
    wanted = {each.id: each for each in requirements}
    claimed = {each.id for each in wanted.values() if claims.covers(each)}
    chosen = [each for each in checks if each.requirement in claimed]
    watched = [_Watched(each) for each in chosen if isinstance(each, Watch)]
    running = _Run(provisioner, watched, on_result)
    limit = anyio.CapacityLimiter(AT_ONCE)

    async def limited(check: Check) -> None:
        async with limit:
            await running.check(check)

    async with anyio.create_task_group() as group:
        for check in (each for each in chosen if isinstance(each, Check)):
            group.start_soon(running.check if check.is_slow else limited, check)
    results = tuple(_results(wanted.values(), claimed, running))
    return Report(results=results, seconds=time.perf_counter() - started)


def _results(wanted: Iterable[Requirement], claimed: set[str], running: _Run) -> Iterator[Result]:
    watched = {each.watch.requirement: each for each in running.watched}
    for requirement in wanted:
        if requirement.id not in claimed:
            yield Result(requirement=requirement, verdict=Verdict.NOT_CLAIMED)
            continue
        watch = watched.get(requirement.id)
        if watch is not None:
            why = watch.why or ("" if watch.seen else "no answer of this kind came")
            finding = _Finding(why, watch.shown)
        else:
            finding = running.found[requirement.id]
        yield Result(
            requirement=requirement,
            verdict=Verdict.FAILED if finding.why else Verdict.PASSED,
            why=finding.why,
            shown=finding.shown,
            seconds=finding.seconds,
        )

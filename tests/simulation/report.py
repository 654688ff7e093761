"""What many worlds came to, in one table."""

from collections import Counter

from tests.simulation.world import Report

SHOWN = 5


class Tally:
    """The sum of what happened, and every violation with how to see it again."""

    def __init__(self) -> None:
        self.worlds = 0
        self.operations: Counter[str] = Counter()
        self.answers: Counter[str] = Counter()
        self.faults: Counter[str] = Counter()
        self.violations: list[str] = []

    @property
    def judged(self) -> int:
        return self.operations.total()

    def add(self, report: Report) -> None:
        self.worlds += 1
        self.operations.update(report.operations)
        self.answers.update(report.answers)
        self.faults.update(report.faults)
        if report.violations:
            first = "\n".join(report.violations[:SHOWN])
            self.violations.append(f"{report.replay}\n{first}")

    def rows(self) -> list[tuple[str, int]]:
        """Everything that was counted, the groups one below the other."""
        return [
            ("worlds", self.worlds),
            ("operations", self.judged),
            *((f"  {name}", count) for name, count in sorted(self.operations.items())),
            ("answers", self.answers.total()),
            *((f"  {name}", count) for name, count in sorted(self.answers.items())),
            ("faults", self.faults.total()),
            *((f"  {name}", count) for name, count in sorted(self.faults.items())),
            ("violations", len(self.violations)),
        ]

    def text(self) -> str:
        table = [f"{name:<32}{count:>12,}" for name, count in self.rows()]
        return "\n".join([*self.violations, *table])

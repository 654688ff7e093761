"""What came of one world, and of many."""

from collections import Counter
from dataclasses import dataclass, field

SHOWN = 5


@dataclass
class Report:
    """What happened in a world."""

    seed: int
    store: str
    steps: int
    operations: dict[str, int] = field(default_factory=dict)
    faults: dict[str, int] = field(default_factory=dict)
    answers: dict[str, int] = field(default_factory=dict)
    violations: list[str] = field(default_factory=list)

    @property
    def judged(self) -> int:
        """How many answers the oracle has looked at."""
        return sum(self.operations.values())

    @property
    def replay(self) -> str:
        """The command that lives through the same world again."""
        return (
            f"uv run python -m tests.simulation --seed {self.seed} --steps {self.steps} "
            f"--store {self.store}"
        )


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
        ]

    def text(self) -> str:
        table = [f"{name:<32}{count:>12,}" for name, count in self.rows()]
        table.append(f"{'violations':<32}{len(self.violations):>12,}")
        return "\n".join([*self.violations, *table])

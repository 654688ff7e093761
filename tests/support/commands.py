"""The `cycles` command inside the test's own process, for all that ends before it serves."""

from dataclasses import dataclass

import pytest

from runcycles_server.cli.command import main


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended and what it said."""

    code: int
    out: str
    err: str

    def complains_about(self, name: str) -> bool:
        """Whether it said one sentence on standard error, with this name in it, and no more."""
        return (
            self.out == ""
            and self.err.startswith("cycles: ")
            and self.err.count("\n") == 1
            and name in self.err
        )


def cycles(capsys: pytest.CaptureFixture[str], *arguments: str) -> Ended:
    """Run a command to its end."""
    with pytest.raises(SystemExit) as ended:
        main(list(arguments))
    said = capsys.readouterr()
    assert isinstance(ended.value.code, int)
    return Ended(ended.value.code, said.out, said.err)

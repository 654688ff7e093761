"""What was found, for people, for programs and for a build server."""

import json
from collections.abc import Callable
from typing import Any, Final
from xml.etree import ElementTree

from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table
from rich.text import Text

from runcycles_server.conformance.requirements import Level, Profile
from runcycles_server.conformance.runner import Report, Result, Verdict

_STYLES: Final = {
    Verdict.PASSED: "green",
    Verdict.FAILED: "bold red",
    Verdict.NOT_CLAIMED: "dim",
}


def show(console: Console, report: Report, *, every: bool) -> None:
    """A table of requirements (only those that failed unless `every`), the exchanges, the sums."""
    rows = [each for each in report.results if every or each.verdict is Verdict.FAILED]
    if rows:
        console.print(_table(rows))
    for result in report.results:
        if result.verdict is Verdict.FAILED:
            console.print(_failure(result))
    console.print(_sums(report))
    console.print(_conclusion(report))


def _table(rows: list[Result]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("requirement", no_wrap=True)
    table.add_column("", no_wrap=True)
    table.add_column("result", no_wrap=True)
    table.add_column("what the protocol asks")
    for row in rows:
        requirement = row.requirement
        table.add_row(
            requirement.id,
            requirement.level,
            Text(row.verdict, style=_STYLES[row.verdict]),
            Text(requirement.sentence),
        )
    return table


def _failure(result: Result) -> RenderableType:
    requirement = result.requirement
    text = Text()
    text.append(f"\n{requirement.id} ", style="bold")
    text.append(f"{requirement.sentence}\n")
    text.append(f"{requirement.level} of {requirement.source}\n", style="dim")
    text.append(f"{result.why}\n", style="red")
    text.append(result.shown)
    return Padding(text, (0, 0, 0, 2), expand=False)


def _sums(report: Report) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("profile")
    for verdict in Verdict:
        table.add_column(verdict, justify="right")
    for profile in Profile:
        counts = (report.count(verdict, profile) for verdict in Verdict)
        table.add_row(profile, *(str(count) for count in counts))
    return table


def _conclusion(report: Report) -> Text:
    must, should = len(report.failed(Level.MUST)), len(report.failed(Level.SHOULD))
    passed, took = report.count(Verdict.PASSED), f"{report.seconds:.1f} s"
    if report.conforms:
        also = f"; {should} SHOULD not met" if should else ""
        return Text(f"Conforms: {passed} requirements passed in {took}{also}.", style="green")
    if not must:
        return Text(
            "Nothing was checked: the server serves none of the profiles.", style="bold red"
        )
    return Text(f"Does not conform: {must} MUST and {should} SHOULD failed.", style="bold red")


def progress(console: Console) -> tuple[Progress, Callable[[int], Callable[[str], None]]]:
    """A bar on a terminal; call the function with the number of checks, the answer with each."""
    bar = Progress(
        TextColumn("checking"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("[dim]{task.description}"),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )

    def start(total: int) -> Callable[[str], None]:
        task = bar.add_task("", total=total)
        return lambda requirement: bar.update(task, advance=1, description=requirement)

    return bar, start


def as_json(report: Report) -> str:
    """One line with every requirement and its result."""
    body: dict[str, Any] = {
        "conforms": report.conforms,
        "seconds": round(report.seconds, 3),
        "counts": {
            profile: {verdict: report.count(verdict, profile) for verdict in Verdict}
            for profile in Profile
        },
        "results": [_row(result) for result in report.results],
    }
    return json.dumps(body, ensure_ascii=False, separators=(",", ":"))


def _row(result: Result) -> dict[str, Any]:
    requirement = result.requirement
    row = {
        "id": requirement.id,
        "level": requirement.level,
        "profile": requirement.profile,
        "source": requirement.source,
        "sentence": requirement.sentence,
        "result": result.verdict,
    }
    if result.verdict is Verdict.FAILED:
        row |= {"why": result.why, "exchange": result.shown}
    return row


def as_junit(report: Report) -> str:
    """JUnit's XML: a SHOULD that failed and what is not claimed count as skipped, and say why."""
    root = ElementTree.Element("testsuites", name="cycles conformance")
    for profile in Profile:
        rows = [each for each in report.results if each.requirement.profile is profile]
        suite = ElementTree.SubElement(
            root,
            "testsuite",
            name=profile,
            tests=str(len(rows)),
            failures=str(sum(_is_failure(row) for row in rows)),
            skipped=str(
                sum(row.verdict is not Verdict.PASSED for row in rows if not _is_failure(row))
            ),
        )
        for row in rows:
            _add_case(suite, row)
    return ElementTree.tostring(root, encoding="unicode")


def _is_failure(row: Result) -> bool:
    return row.verdict is Verdict.FAILED and row.requirement.level is Level.MUST


def _add_case(suite: ElementTree.Element, row: Result) -> None:
    requirement = row.requirement
    case = ElementTree.SubElement(
        suite,
        "testcase",
        classname=requirement.source,
        name=f"{requirement.id} {requirement.sentence}",
        time=f"{row.seconds:.3f}",
    )
    if row.verdict is Verdict.PASSED:
        return
    kind = "failure" if _is_failure(row) else "skipped"
    message = row.why or row.verdict
    found = ElementTree.SubElement(case, kind, message=_printable(message))
    found.text = _printable(row.shown)


def _printable(text: str) -> str:
    """Text that XML can hold: it has no form for most control characters and lone surrogates."""
    return "".join(each if each.isprintable() or each in "\n\t" else "�" for each in text)

"""What the kit says: for people, for programs, for a build server, and never a secret."""

import json
from io import StringIO
from xml.etree import ElementTree

from rich.console import Console

from runcycles_server.conformance import Level, Profile, Report, Requirement, Result, Verdict
from runcycles_server.conformance.client import API_KEY, Answer, shown
from runcycles_server.conformance.report import as_json, as_junit, progress, show

SECRET = "cyc_live_nobody_may_see_this"


def result(
    number: int, verdict: Verdict, level: Level = Level.MUST, why: str = "", exchange: str = ""
) -> Result:
    requirement = Requirement(
        id=f"RT-A-00{number}",
        level=level,
        profile=Profile.RUNTIME,
        source="cycles-protocol v0, this",
        operation=None,
        sentence=f"Sentence {number}.",
    )
    return Result(requirement=requirement, verdict=verdict, why=why, shown=exchange)


def report(*results: Result) -> Report:
    return Report(results=results, seconds=1.5)


PASSED = result(1, Verdict.PASSED)
FAILED = result(2, Verdict.FAILED, why="it was [late]", exchange="GET /x\n→ 500 \x01\ud800{}")
UNMET = result(3, Verdict.FAILED, Level.SHOULD, why="it was rude")
OTHER = result(4, Verdict.NOT_CLAIMED)


def printed(found: Report, *, every: bool = False) -> str:
    console = Console(width=100, record=True, file=StringIO())
    show(console, found, every=every)
    return console.export_text()


def test_only_a_failed_must_keeps_a_server_from_conforming() -> None:
    assert report(PASSED, UNMET, OTHER).conforms
    assert not report(PASSED, FAILED).conforms


def test_a_server_that_claims_nothing_does_not_conform() -> None:
    assert not report(OTHER).conforms
    assert "serves none of the profiles" in printed(report(OTHER))


def test_people_see_what_failed_why_and_what_was_asked() -> None:
    text = printed(report(PASSED, FAILED, UNMET, OTHER))
    for words in ("RT-A-002", "it was [late]", "GET /x", "Does not conform: 1 MUST and 1 SHOULD"):
        assert words in text
    assert "RT-A-001" not in text
    assert "RT-A-001" in printed(report(PASSED), every=True)


def test_what_is_not_claimed_never_reads_as_passed() -> None:
    lines = printed(report(PASSED, OTHER), every=True).splitlines()
    (line,) = [line for line in lines if line.startswith("RT-A-004")]
    assert "not claimed" in line
    assert "passed" not in line


def test_a_should_that_is_not_met_is_said_beside_the_good_news() -> None:
    assert "Conforms: 1 requirements passed in 1.5 s; 1 SHOULD not met." in printed(
        report(PASSED, UNMET)
    )


def test_programs_get_one_line_with_everything() -> None:
    line = as_json(report(PASSED, FAILED, OTHER))
    said = json.loads(line)
    assert "\n" not in line
    assert said["conforms"] is False
    assert said["counts"]["runtime"] == {"passed": 1, "failed": 1, "not claimed": 1}
    assert [row["result"] for row in said["results"]] == ["passed", "failed", "not claimed"]
    assert said["results"][1]["why"] == "it was [late]"


def test_a_build_server_gets_junit_that_it_can_read() -> None:
    root = ElementTree.fromstring(as_junit(report(PASSED, FAILED, UNMET, OTHER)))
    suite = root[0]
    assert suite.attrib == {"name": "runtime", "tests": "4", "failures": "1", "skipped": "2"}
    assert [[child.tag for child in case] for case in suite] == [
        [],
        ["failure"],
        ["skipped"],
        ["skipped"],
    ]
    assert "→ 500" in (suite[1][0].text or "")


def test_no_secret_is_shown() -> None:
    body = json.dumps({"key_id": "k", "key_secret": SECRET}).encode()
    answer = Answer(
        method="POST",
        path="/v1/admin/api-keys",
        asked_headers={API_KEY: SECRET},
        asked=body,
        status=201,
        headers={},
        content=body,
    )
    assert SECRET not in str(answer)
    assert "X-Cycles-API-Key: …" in str(answer)
    assert SECRET not in shown(b'{"key_secret": "' + SECRET.encode() + b'"')  # not even JSON


def test_a_long_body_is_cut() -> None:
    assert len(shown(b"x" * 10_000)) < 2_100
    assert "10,000 bytes" in shown(b"x" * 10_000)


def test_there_is_a_bar_on_a_terminal_alone() -> None:
    for is_terminal in (True, False):
        console = Console(force_terminal=is_terminal, record=True, file=StringIO())
        bar, start = progress(console)
        with bar:
            start(2)("RT-A-001")
        assert bar.tasks[0].completed == 1
        assert bar.disable is not is_terminal

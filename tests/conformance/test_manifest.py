"""The manifest and the checks belong together: each requirement has one check, each check one."""

import re
from collections import Counter
from collections.abc import Iterable

import pytest

from runcycles_server.conformance import CHECKS, REQUIREMENTS, Level, Profile, Requirement
from runcycles_server.conformance.claims import OPERATIONS
from runcycles_server.conformance.registry import Check, Topic
from runcycles_server.conformance.requirements import read_manifest
from runcycles_server.conformance.stand import Stand

PREFIXES = {
    Profile.RUNTIME: "RT",
    Profile.GOVERNANCE_CORE: "GC",
    Profile.EXTENSION: "EX",
    Profile.EVENTS_WEBHOOKS: "EW",
}


def unmatched(required: Iterable[str], checked: Iterable[str]) -> set[str]:
    """Ids that do not stand exactly once on each side."""
    left, right = Counter(required), Counter(checked)
    return {each for each in left | right if (left[each], right[each]) != (1, 1)}


def test_every_requirement_has_one_check_and_every_check_a_requirement() -> None:
    required = [each.id for each in REQUIREMENTS]
    assert unmatched(required, [each.requirement for each in CHECKS]) == set()


@pytest.mark.parametrize(
    ("required", "checked"),
    [(["A"], []), ([], ["A"]), (["A"], ["A", "A"]), (["A", "A"], ["A"])],
)
def test_what_does_not_match_is_noticed(required: list[str], checked: list[str]) -> None:
    assert unmatched(required, checked) == {"A"}


def test_there_are_enough_of_them_to_mean_something() -> None:
    assert len(REQUIREMENTS) > 400  # as the server's page says
    assert {each.level for each in REQUIREMENTS} == set(Level)


def test_an_id_says_its_profile() -> None:
    assert [each.id for each in REQUIREMENTS if each.id[:2] != PREFIXES[each.profile]] == []


def test_a_requirement_is_one_sentence_of_the_protocol() -> None:
    for each in REQUIREMENTS:
        assert re.fullmatch(r"[A-Z`\d].*[.]", each.sentence), each
        assert each.source.startswith("cycles-"), each
        assert each.operation is None or each.operation in OPERATIONS, each


def test_a_manifest_is_read_line_by_line() -> None:
    text = (
        "# why\n\n== cycles-x v0, this\nRT-A-001 MUST  It is.\n"
        "== cycles-x v0, that [where decide is served]\nRT-A-002 SHOULD It may be.\n"
    )
    first, second = read_manifest(Profile.RUNTIME, text)
    assert first == Requirement(
        id="RT-A-001",
        level=Level.MUST,
        profile=Profile.RUNTIME,
        source="cycles-x v0, this",
        operation=None,
        sentence="It is.",
    )
    assert (second.source, second.operation) == ("cycles-x v0, that", "decide")


@pytest.mark.parametrize("line", ["RT-A-001 MUST It is.", "== x\nRT-A-1 MUST It is.", "== x\ny"])
def test_a_line_that_is_no_requirement_is_named(line: str) -> None:
    with pytest.raises(ValueError, match=re.escape(line.splitlines()[-1])):
        list(read_manifest(Profile.RUNTIME, line))


async def test_a_topic_keeps_its_checks_in_order() -> None:
    topic = Topic()

    @topic.check("RT-A-001")
    async def one(stand: Stand) -> None: ...

    topic.watch("RT-A-002")(lambda _: None)
    first, second = topic.checks
    assert isinstance(first, Check)
    assert first.run is one
    assert [first.requirement, second.requirement] == ["RT-A-001", "RT-A-002"]

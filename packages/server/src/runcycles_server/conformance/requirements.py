"""What the public protocol requires, one sentence each; `manifest/*.txt` is the whole list.

The lists are plain text, so that they can be read, and held against the protocol, without Python.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from importlib.resources import files
from typing import Final


class Level(StrEnum):
    """How strongly the protocol asks for something."""

    MUST = "MUST"
    SHOULD = "SHOULD"


class Profile(StrEnum):
    """What a server may claim as a whole."""

    RUNTIME = "runtime"
    GOVERNANCE_CORE = "governance-core"
    EXTENSION = "extension"
    EVENTS_WEBHOOKS = "events-webhooks"


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirement:
    """One promise. `operation` is the optional operation without which there is none."""

    id: str
    level: Level
    profile: Profile
    source: str
    operation: str | None
    sentence: str


_LINE: Final = re.compile(r"([A-Z]{2}-[A-Z]+-\d{3})\s+(MUST|SHOULD)\s+(\S.*)")
_HEADING: Final = re.compile(r"== (?P<source>.+?)(?: \[where (?P<operation>\w+) is served\])?")


def read_manifest(profile: Profile, text: str) -> Iterator[Requirement]:
    """The requirements of one list: headings name the source, lines are `ID LEVEL sentence`.

    Raises:
        ValueError: naming a line that is neither.
    """
    source, operation = "", None
    for line in text.splitlines():
        if not line or line.startswith("#"):
            continue
        if heading := _HEADING.fullmatch(line):
            source, operation = heading["source"], heading["operation"]
        elif (found := _LINE.fullmatch(line)) and source:
            yield Requirement(
                id=found[1],
                level=Level(found[2]),
                profile=profile,
                source=source,
                operation=operation,
                sentence=found[3],
            )
        else:
            raise ValueError(f"this line of the manifest is no requirement: {line}")


def _all() -> Iterator[Requirement]:
    for profile in Profile:
        name = f"manifest/{profile.replace('-', '_')}.txt"
        text = (files("runcycles_server.conformance") / name).read_text(encoding="utf-8")
        yield from read_manifest(profile, text)


REQUIREMENTS: Final[tuple[Requirement, ...]] = tuple(_all())

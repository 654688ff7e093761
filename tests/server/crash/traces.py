"""What a system-call trace says about promises: which were made, and whether after their sync.

The trace is strace's, of one process and its threads, with paths and data (`-f -y -s 4096`), in the
order in which calls returned. An answer names its idempotency key, and so does what is written
about it to the log; that is how one is found in the other.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

CALL = re.compile(r"(?:\d+ +)?(?P<name>\w+)\((?P<given>.*)\) += (?P<result>-?\d+)")
UNFINISHED = re.compile(r"(?P<pid>\d+) +(?P<start>.*) <unfinished \.\.\.>")
RESUMED = re.compile(r"(?P<pid>\d+) +<\.\.\. \w+ resumed>(?P<end>.*)")
KEY = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}")
ANSWER = re.compile(r'"(?:reserved|committed) (?P<key>\S+)')


@dataclass
class Promises:
    """The keys that were answered, with the number of the sync that made each last."""

    kept: dict[str, int] = field(default_factory=dict)
    too_early: list[str] = field(default_factory=list)

    @property
    def batches(self) -> list[int]:
        """How many answers each sync was for."""
        return list(Counter(self.kept.values()).values())


def calls(lines: Iterable[str]) -> Iterator[str]:
    """The calls, whole, at the moment they returned."""
    started: dict[str, str] = {}
    for line in lines:
        if found := UNFINISHED.fullmatch(line):
            started[found["pid"]] = found["start"]
        elif found := RESUMED.fullmatch(line):
            yield started.pop(found["pid"], "") + found["end"]
        else:
            yield line


def promises_in(lines: Iterable[str]) -> Promises:
    """Match every answer with the sync it depends on."""
    found = Promises()
    written: set[str] = set()
    synced: dict[str, int] = {}
    syncs = 0
    for line in calls(lines):
        call = CALL.fullmatch(line)
        if call is None:
            continue
        is_log = "-wal>" in call["given"].partition(",")[0]
        match call["name"]:
            case "pwrite64" if is_log:
                written.update(KEY.findall(call["given"]))
            case "fdatasync" | "fsync" if is_log and call["result"] == "0":
                syncs += 1
                synced = {**dict.fromkeys(written, syncs), **synced}
                written.clear()
            case "write" if answer := ANSWER.search(call["given"]):
                key = answer["key"]
                if key in synced:
                    found.kept[key] = synced[key]
                else:
                    found.too_early.append(key)
            case _:
                pass
    return found

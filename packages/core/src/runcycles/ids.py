"""Time-ordered ids. Keys that grow with time keep a store's indexes small and fast."""

import os
import random
import re
import time
from hashlib import sha256
from typing import Final

_TRACE: Final = re.compile("(?!0{32})[0-9a-f]{32}")


# Not the module's shared generator: programs seed that one to repeat themselves, in every worker
# alike, and would repeat their keys too.
_generator: Final = random.Random()  # noqa: S311 - ids are unlikely to repeat, not secret
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_generator.seed)


def random_hex(bits: int) -> str:
    """Random hex digits that are unlikely to come twice, and need not be a secret.

    From a generator in this process, seeded by the system and again in each forked child: asking
    the system itself each time costs as much as a decision.
    """
    return f"{_generator.getrandbits(bits):0{bits // 4}x}"


def new_id() -> str:
    """A UUIDv7 (RFC 9562): 48 bits of epoch ms, 12 of the fraction of that ms, 62 random ones.

    With the fraction (section 6.2, method 3) ids of one process grow even within a millisecond.
    """
    ms, rest = divmod(time.time_ns(), 1_000_000)
    high = (ms & 0xFFFF_FFFF_FFFF) << 16 | 0x7000 | (rest << 12) // 1_000_000
    text = f"{high << 64 | 0x2 << 62 | _generator.getrandbits(62):032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def short_id(kind: str) -> str:
    """An id that people read and copy, of the few things that operators make: `pol_5f0c…`."""
    return f"{kind}_{random_hex(64)}"


def trace_of(key: str) -> str:
    """The trace id, 32 hex digits, of what is done under an idempotency key.

    Equal keys have equal traces, so that what two processes did for one intention is found in one.
    """
    digits = key.replace("-", "")
    return digits if _TRACE.fullmatch(digits) else sha256(key.encode()).hexdigest()[:32]

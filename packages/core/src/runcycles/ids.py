"""Time-ordered ids. Keys that grow with time keep a store's indexes small and fast."""

import random
import re
import time
from hashlib import sha256
from typing import Final

_TRACE: Final = re.compile("(?!0{32})[0-9a-f]{32}")


def random_hex(bits: int) -> str:
    """Random hex digits that are unlikely to come twice, and need not be a secret.

    From the interpreter's generator, seeded by the system and again in each forked child: asking
    the system itself each time costs as much as a decision.
    """
    return f"{random.getrandbits(bits):0{bits // 4}x}"


def new_id() -> str:
    """A UUIDv7 (RFC 9562, section 5.7): 48 bits of epoch ms, then 74 random bits."""
    noise = random.getrandbits(80)
    value = (time.time_ns() // 1_000_000 & (1 << 48) - 1) << 80 | noise
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    text = f"{value:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def trace_of(key: str) -> str:
    """The trace id, 32 hex digits, of what is done under an idempotency key.

    Equal keys have equal traces, so that what two processes did for one intention is found in one.
    """
    digits = key.replace("-", "")
    return digits if _TRACE.fullmatch(digits) else sha256(key.encode()).hexdigest()[:32]

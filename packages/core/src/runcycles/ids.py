"""Time-ordered ids. Keys that grow with time keep a store's indexes small and fast."""

import os
import time
import uuid


def new_id() -> str:
    """A UUIDv7 (RFC 9562, section 5.7): 48 bits of epoch ms, then 74 random bits."""
    random = int.from_bytes(os.urandom(10))
    value = (time.time_ns() // 1_000_000 & (1 << 48) - 1) << 80 | random
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    return str(uuid.UUID(int=value))

"""How long a store keeps what nobody needs for ever.

What is forgotten at a time of its own (replies, counters) says so itself.
"""

from typing import Final

from runcycles.ledger.idempotency import DAY_MS, HELD_FOR_MS

RESERVATIONS_MS: Final = HELD_FOR_MS
"""From the end of a reservation; for as long its reply could be asked for again."""
DECISIONS_MS: Final = 7 * DAY_MS
"""Explanations are asked for within days."""
MOST_DECISIONS: Final = 1_000_000
"""About a gigabyte, which a search for an id walks through in a second."""
AUDIT_MS: Final = 400 * DAY_MS
"""A year and a month, so that a yearly audit finds all of its year."""
UNAUTHENTICATED_AUDIT_MS: Final = 30 * DAY_MS
"""Attempts of nobody known; anybody on the network can make as many as they like."""

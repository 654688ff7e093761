"""The operator's one key: given at start, or made once and kept as a digest."""

import secrets
from dataclasses import dataclass, field
from typing import Final

from runcycles.ledger.state import Outcome, Snapshot
from runcycles_server.governance.keys.rules import digest_of
from runcycles_server.records import Setting, setting_key
from runcycles_server.stores.base import Store

ADMIN_KEY_PREFIX: Final = "cyc_admin_"
_SETTING: Final = "admin_key_digest"


@dataclass(frozen=True, slots=True, kw_only=True)
class AdminKey:
    """What the server keeps of the key; `fresh` is its text if it was made just now."""

    digest: str
    fresh: str | None = field(default=None, repr=False)


async def admin_key(store: Store, given: str | None) -> AdminKey:
    """The key that holds for this run: the given one, else the store's own, made if need be."""
    if given is not None:
        return AdminKey(digest=digest_of(given))
    made = ADMIN_KEY_PREFIX + secrets.token_urlsafe(32)

    def transition(snapshot: Snapshot) -> Outcome[str]:
        found: Setting | None = snapshot.records[setting_key(_SETTING)]
        if found is not None:
            return Outcome(found.value)
        kept = Setting(name=_SETTING, value=digest_of(made))
        return Outcome(kept.value, (kept,))

    digest = await store.transact((setting_key(_SETTING),), transition)
    return AdminKey(digest=digest, fresh=made if digest == digest_of(made) else None)

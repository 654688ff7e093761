"""Accounts as the balances of an answer, written straight into JSON.

Every answer that changes money shows the budgets it changed, so this is written more often than
anything else; it looks exactly like an encoded `Balance`.
"""

from collections.abc import Iterable
from functools import lru_cache
from json.encoder import encode_basestring as quoted
from typing import Protocol

from runcycles.scopes import leaf
from runcycles.types import Unit


class Counters(Protocol):
    """What a balance is made of: an account of the ledger, say."""

    @property
    def scope(self) -> str:
        """The whole path."""

    @property
    def unit(self) -> Unit:
        """What is counted."""

    @property
    def allocated(self) -> int:
        """What the operator gave."""

    @property
    def spent(self) -> int:
        """What was charged."""

    @property
    def reserved(self) -> int:
        """What is held."""

    @property
    def debt(self) -> int:
        """What is owed."""

    @property
    def overdraft_limit(self) -> int:
        """What may be owed."""

    @property
    def remaining(self) -> int:
        """What can still be reserved."""

    @property
    def blocked_by_overdraft(self) -> bool:
        """Whether nothing new may be reserved."""


def encode_balances(accounts: Iterable[Counters]) -> bytes:
    """The JSON array of the accounts' balances."""
    return f"[{','.join([_balance(account) for account in accounts])}]".encode()


def _balance(account: Counters) -> str:
    name, amount = _fixed(account.scope, account.unit)
    text = (
        f'{name},"remaining":{amount}{account.remaining}}},"reserved":{amount}{account.reserved}}}'
        f',"spent":{amount}{account.spent}}},"allocated":{amount}{account.allocated}}}'
    )
    if account.debt:
        text += f',"debt":{amount}{account.debt}}}'
    if account.overdraft_limit:
        text += f',"overdraft_limit":{amount}{account.overdraft_limit}}}'
    if account.blocked_by_overdraft:
        text += ',"is_over_limit":true'
    return text + "}"


@lru_cache(maxsize=4_096)
def _fixed(scope: str, unit: Unit) -> tuple[str, str]:
    """The parts of a balance that never change: its beginning, and that of each amount."""
    name = f'{{"scope":{quoted(leaf(scope))},"scope_path":{quoted(scope)}'
    return name, f'{{"unit":"{unit}","amount":'

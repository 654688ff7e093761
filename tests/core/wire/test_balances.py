"""What is written straight into JSON looks like what is made first and then encoded."""

import json

from hypothesis import given
from hypothesis import strategies as st

from runcycles.ledger.rules import balance
from runcycles.ledger.state import Account, Budget
from runcycles.ops import BalancePage, Balances, Release, Released
from runcycles.types import INT64_MAX, Unit, tokens
from runcycles.wire import encode_reply

COUNTER = st.sampled_from([0, 1, 7, 2**53 + 1, INT64_MAX // 4])
ACCOUNTS = st.builds(
    Account,
    tenant=st.just("acme"),
    scope=st.sampled_from(["tenant:acme", "tenant:acme/agent:bot", 'odd:"\\\n\x7fé✉']),
    unit=st.sampled_from(Unit),
    allocated=COUNTER,
    spent=COUNTER,
    reserved=COUNTER,
    debt=COUNTER,
    overdraft_limit=COUNTER,
    is_over_limit=st.booleans(),
    budget=st.just(Budget(ledger_id="l", created_at_ms=0, updated_at_ms=0)),
)


@given(st.lists(ACCOUNTS, max_size=3))
def test_balances_are_written_as_they_would_be_encoded(accounts: list[Account]) -> None:
    page = BalancePage(balances=tuple(balance(account) for account in accounts))
    encoded = json.loads(encode_reply(Balances, page))
    shown = json.loads(encode_reply(Release, Released(released=tokens(1)), shown=accounts))
    assert shown.pop("balances") == encoded["balances"]
    assert shown == {"status": "RELEASED", "released": {"unit": "TOKENS", "amount": 1}}


@given(ACCOUNTS)
def test_nothing_is_written_twice_or_between(account: Account) -> None:
    encoded = encode_reply(Balances, BalancePage(balances=(balance(account),)))
    shown = encode_reply(Release, Released(released=tokens(1)), shown=[account])
    assert shown.endswith(b'"balances":' + encoded.removeprefix(b'{"balances":'))

"""What is written straight into JSON looks like what pydantic would make of it."""

from hypothesis import given
from hypothesis import strategies as st

from runcycles.ops import Allowed, Reserve
from runcycles.types import INT64_MAX, Amount, Caps, Unit, Verdict, tokens
from runcycles.wire import encode_reply
from runcycles.wire.adapters import to_json

SCOPES = st.sampled_from(["tenant:acme", "tenant:acme/agent:bot", 'odd:"\\\n\x7fé✉'])
NUMBERS = st.sampled_from([0, 1, 60_000, 2**53 + 1, INT64_MAX])
HOLDS = st.builds(
    Allowed,
    decision=st.sampled_from([Verdict.ALLOW, Verdict.ALLOW_WITH_CAPS]),
    affected_scopes=st.lists(SCOPES, max_size=3).map(tuple),
    reservation_id=st.none() | st.sampled_from(["r-1", 'odd"\\']),
    expires_at_ms=st.none() | NUMBERS,
    remaining_ttl_ms=st.none() | NUMBERS,
    scope_path=st.none() | SCOPES,
    reserved=st.none() | st.builds(Amount, unit=st.sampled_from(Unit), amount=NUMBERS),
    caps=st.none() | st.just(Caps(max_tokens=5)),
)


@given(HOLDS)
def test_every_permission_is_written_as_it_would_be_encoded(reply: Allowed) -> None:
    assert encode_reply(Reserve, reply) == to_json(Allowed, reply)


def test_a_hold_is_written_with_what_it_shows_behind_it() -> None:
    hold = Allowed(
        affected_scopes=("tenant:acme",),
        reservation_id="r-1",
        expires_at_ms=2,
        remaining_ttl_ms=1,
        scope_path="tenant:acme",
        reserved=tokens(3),
    )
    assert encode_reply(Reserve, hold, shown=()) == (
        b'{"decision":"ALLOW","affected_scopes":["tenant:acme"],"reservation_id":"r-1",'
        b'"expires_at_ms":2,"remaining_ttl_ms":1,"scope_path":"tenant:acme",'
        b'"reserved":{"unit":"TOKENS","amount":3},"balances":[]}'
    )

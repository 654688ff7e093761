"""Which questions speak the protocol's extension, so that their denials may say more."""

from typing import Any

import pytest

from runcycles import wire
from runcycles.ops import Decide, Op, Release, Reserve
from runcycles.types import Action, ObserveMode, PolicyKeys, Subject, tokens

ASKED: dict[str, Any] = {
    "idempotency_key": "k",
    "subject": Subject(tenant="acme"),
    "estimate": tokens(1),
}
PLAIN = Action(kind="http.get", name="get")
TOUCHING = Action(kind="http.get", name="get", policy_keys=PolicyKeys(host="api.acme.com"))


@pytest.mark.parametrize(
    ("op", "speaks"),
    [
        (Reserve(**ASKED, action=PLAIN), False),
        (Reserve(**ASKED, action=PLAIN, observe_mode=ObserveMode.ENFORCE), True),
        (Reserve(**ASKED, action=TOUCHING), True),
        (Decide(**ASKED, action=PLAIN), False),
        (Decide(**ASKED, action=TOUCHING), True),
        (Release(reservation_id="r", idempotency_key="k"), False),
    ],
)
def test_a_question_speaks_the_extension_that_uses_what_it_adds(op: Op[Any], speaks: bool) -> None:
    assert wire.speaks_extension(op) == speaks

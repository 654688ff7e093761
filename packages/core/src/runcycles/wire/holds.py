"""The answer to a reserve that holds something, written straight into JSON.

It is the answer that everybody waits for most often; it looks exactly like an encoded `Allowed`.
"""

from functools import lru_cache
from json.encoder import encode_basestring as quoted

from runcycles.ops import Allowed
from runcycles.types import Unit, Verdict


def is_plain_hold(reply: Allowed) -> bool:
    """Whether it is such an answer, with nothing in it that only some have."""
    return (
        reply.reservation_id is not None
        and reply.expires_at_ms is not None
        and reply.remaining_ttl_ms is not None
        and reply.scope_path is not None
        and reply.reserved is not None
        and reply.caps is None
        and reply.balances is None
        and reply.observed is None
    )


def encode_hold(reply: Allowed) -> bytes:
    """The JSON object of an answer that `is_plain_hold`."""
    assert reply.reservation_id is not None, reply
    assert reply.scope_path is not None, reply
    assert reply.reserved is not None, reply
    before, scope_path, amount = _fixed(
        reply.decision, reply.affected_scopes, reply.scope_path, reply.reserved.unit
    )
    return (
        f'{before},"reservation_id":{quoted(reply.reservation_id)}'
        f',"expires_at_ms":{reply.expires_at_ms},"remaining_ttl_ms":{reply.remaining_ttl_ms}'
        f"{scope_path}{amount}{reply.reserved.amount}}}}}"
    ).encode()


@lru_cache(maxsize=4_096)
def _fixed(
    decision: Verdict, scopes: tuple[str, ...], scope_path: str, unit: Unit
) -> tuple[str, str, str]:
    """The parts that are the same for all holds of one subject."""
    listed = ",".join(map(quoted, scopes))
    return (
        f'{{"decision":"{decision}","affected_scopes":[{listed}]',
        f',"scope_path":{quoted(scope_path)}',
        f',"reserved":{{"unit":"{unit}","amount":',
    )

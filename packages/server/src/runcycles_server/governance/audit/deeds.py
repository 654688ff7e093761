"""Who does what on the operator's side, and the audit entry that says so.

The entry is one more change of the same outcome, so nothing is done that is not written down, and
nothing is written down that was not done.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any, Final, TypeVar

from runcycles.ids import new_id
from runcycles.ledger.state import Need, Outcome, Record, Snapshot
from runcycles.ops import Refused
from runcycles_server.records import AuditEntry

T = TypeVar("T")

ADMIN: Final = "__admin__"
"""Whose entry it is, in the protocol's words, where the admin key did something of no tenant."""
_SECRET: Final = frozenset({"digest"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """Who acts, and from where. Without a tenant it is the operator."""

    tenant: str | None = None
    key_id: str | None = None
    source_ip: str | None = None
    user_agent: str | None = None
    request_id: str | None = None
    trace_id: str | None = None

    @property
    def kind(self) -> str:
        """The protocol's word for who acts."""
        return "admin" if self.tenant is None else "api_key"


def _whole(record: Any) -> Any:
    return record


@dataclass(frozen=True, slots=True, kw_only=True)
class Deed:
    """What is done to which resource; `tenant` is whose resource it is, None for nobody's.

    Where the resource is one of many in a record, `part` finds it there; it may be absent.
    `of_reply` is what the entry takes from the reply besides the metadata that was known before.
    """

    operation: str
    resource_type: str
    resource_id: str
    tenant: str | None = None
    status: int = 200
    metadata: Mapping[str, Any] = field(default_factory=dict)
    part: Callable[[Any], Any] = _whole
    of_reply: Callable[[Any], Mapping[str, Any]] | None = None


def entry(deed: Deed, actor: Actor, *, at_ms: int, details: Mapping[str, Any]) -> AuditEntry:
    """The audit entry of a deed."""
    on_behalf = actor.tenant is None and deed.tenant is not None
    actor_type = "admin_on_behalf_of" if on_behalf else actor.kind
    return AuditEntry(
        log_id=f"log_{new_id()}",
        at_ms=at_ms,
        tenant_id=deed.tenant or ADMIN,
        operation=deed.operation,
        status=deed.status,
        key_id=actor.key_id,
        user_agent=actor.user_agent,
        source_ip=actor.source_ip,
        resource_type=deed.resource_type,
        resource_id=deed.resource_id,
        request_id=actor.request_id,
        trace_id=actor.trace_id,
        details={"actor_type": actor_type, **deed.metadata, **details},
    )


def audited(
    transition: Callable[[Snapshot], Outcome[T] | Need], deed: Deed, actor: Actor
) -> Callable[[Snapshot], Outcome[T] | Need]:
    """The transition, whose changes come with their audit entry."""

    def transition_and_entry(snapshot: Snapshot) -> Outcome[T] | Need:
        outcome = transition(snapshot)
        return outcome if isinstance(outcome, Need) else with_entry(snapshot, outcome, deed, actor)

    return transition_and_entry


def with_entry(snapshot: Snapshot, outcome: Outcome[T], deed: Deed, actor: Actor) -> Outcome[T]:
    """The outcome with the audit entry of its changes; where there are none, nothing was done."""
    if isinstance(outcome.reply, Refused) or not outcome.changes:
        return outcome
    told = {} if deed.of_reply is None else deed.of_reply(outcome.reply)
    details = {**told, **differences(snapshot, outcome.changes, deed.part)}
    written = entry(deed, actor, at_ms=snapshot.now_ms, details=details)
    return Outcome(outcome.reply, (*outcome.changes, written), shown=outcome.shown)


def differences(
    snapshot: Snapshot, changes: tuple[Record, ...], part: Callable[[Any], Any]
) -> dict[str, Any]:
    """What the changed records of a known key were before and are after: their fields that differ.

    Secrets are left out, and so is what only the audit log and the replay of answers keep.
    """
    before: dict[str, Any] = {}
    after: dict[str, Any] = {}
    for record in changes:
        if record.key[0] in ("audit", "reply"):
            continue
        old, new = _members(part(snapshot.records.get(record.key))), _members(part(record))
        names = [name for name in {**old, **new} if old.get(name) != new.get(name)]
        before |= {name: _plain(old[name]) for name in names if name in old}
        after |= {name: _plain(new[name]) for name in names if name in new}
    return {"before": before, "after": after} if before else {"after": after}


def _members(record: Any) -> dict[str, Any]:
    """The members that a record has and may show; none where there is no record."""
    if record is None:
        return {}
    members = ((f.name, getattr(record, f.name)) for f in fields(record) if f.compare)
    return {name: member for name, member in members if member is not None and name not in _SECRET}


def _plain(value: Any) -> Any:
    """A member as JSON, with all that is in it."""
    if is_dataclass(value):
        return {name: _plain(member) for name, member in _members(value).items()}
    if isinstance(value, Mapping):
        return {str(name): _plain(member) for name, member in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(member) for member in value]
    return value

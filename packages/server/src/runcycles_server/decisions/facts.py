"""What a decision was made of, as JSON in the order in which it was looked at.

Every reserve writes this, so it is put together by hand; it is read back only when somebody asks
why.
"""

import json
from dataclasses import dataclass
from functools import lru_cache
from json.encoder import encode_basestring as quoted
from typing import Any, Literal, NamedTuple

from runcycles.ledger.authority import Standing
from runcycles.ledger.counting import Considered
from runcycles.ledger.policies import Stop
from runcycles.ledger.state import Account, Key, Snapshot, account_keys
from runcycles.ops import Allowed, Decide, Denied, Refused, Reserve
from runcycles.scopes import lineage
from runcycles.types import BudgetStatus, Caps, OveragePolicy, PolicyKeys, RiskClass, Unit
from runcycles.wire.adapters import adapter, to_json

Question = Reserve | Decide
Answer = Allowed | Denied | Refused
Asked = Literal["reserve", "dry_run", "decide"]


class SeenPolicy(NamedTuple):
    """The policy that decided, and the scope that its pattern matched."""

    policy_id: str
    name: str
    priority: int
    scope: str


class SeenLimit(NamedTuple):
    """One quota or rate limit, and how much of it was used before."""

    scope: str
    counted: str
    window: str
    bucket: str
    used: int
    limit: int


class SeenAccount(NamedTuple):
    """One budget as it was before the decision."""

    scope: str
    status: BudgetStatus
    allocated: int
    spent: int
    reserved: int
    debt: int = 0
    overdraft_limit: int = 0
    is_over_limit: bool = False

    @property
    def remaining(self) -> int:
        """What could still be reserved."""
        return self.allocated - self.spent - self.reserved - self.debt


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenRefusal:
    """What was said no with."""

    message: str
    scope: str | None = None
    suggested_fix: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What a decision was made of; what was not looked at, or not there, is left out.

    `asked` is the operation, `scope` the deepest scope of the subject.
    """

    asked: Asked
    scope: str
    kind: str
    name: str
    unit: Unit
    amount: int
    risk_class: RiskClass
    ttl_ms: int | None = None
    overage_policy: OveragePolicy | None = None
    dimensions: dict[str, str] | None = None
    policy_keys: PolicyKeys | None = None
    observed: bool = False
    tenant: str | None = None
    stop: Stop | None = None
    policy: SeenPolicy | None = None
    quotas: tuple[SeenLimit, ...] = ()
    rate: SeenLimit | None = None
    accounts: tuple[SeenAccount, ...] = ()
    caps: Caps | None = None
    refusal: SeenRefusal | None = None


def asked_of(op: Question) -> Asked:
    """What was asked."""
    if isinstance(op, Decide):
        return "decide"
    return "dry_run" if op.dry_run else "reserve"


def facts_text(
    snapshot: Snapshot, op: Question, tenant: str, standing: Standing, answer: Answer
) -> str:
    """The facts of a decision, as they are kept."""
    scopes, action, estimate = lineage(op.subject), op.action, op.estimate
    asked = _question(asked_of(op), scopes[-1], action.kind, action.name, standing.risk_class)
    text = f'{asked},"unit":"{estimate.unit}","amount":{estimate.amount}'
    if op.subject.dimensions:
        text += f',"dimensions":{json.dumps(dict(op.subject.dimensions))}'
    if action.policy_keys is not None:
        text += f',"policy_keys":{_json(PolicyKeys, action.policy_keys)}'
    if isinstance(op, Reserve):
        text += _terms(op, answer)
    owner = snapshot.tenant(tenant)
    if owner is not None:
        text += f',"tenant":{quoted(owner.status)}'
    text += _standing(standing)
    looked_up = map(snapshot.records.get, account_keys(tenant, scopes, estimate.unit))
    text += f',"accounts":[{",".join([_account(each) for each in looked_up if each is not None])}]'
    if not isinstance(answer, Allowed):
        return f'{text},"refusal":{_refusal(answer)}}}'
    if answer.caps is not None:
        text += f',"caps":{_json(Caps, answer.caps)}'
    return text + "}"


def parse_facts(text: str) -> Facts:
    """The facts in their text."""
    facts: Facts = adapter(Facts).validate_json(text)
    return facts


@lru_cache(maxsize=4_096)
def _question(asked: str, scope: str, kind: str, name: str, risk_class: RiskClass) -> str:
    """What the same few programs ask again and again."""
    return (
        f'{{"asked":"{asked}","scope":{quoted(scope)},"kind":{quoted(kind)},"name":{quoted(name)}'
        f',"risk_class":"{risk_class}"'
    )


def _terms(op: Reserve, answer: Answer) -> str:
    """The lease that was granted, else asked for, and what is to happen above the estimate."""
    granted = answer.remaining_ttl_ms if isinstance(answer, Allowed) else None
    ttl_ms = op.ttl_ms if granted is None else granted
    text = "" if ttl_ms is None else f',"ttl_ms":{ttl_ms}'
    if op.overage_policy is not None:
        text += f',"overage_policy":"{op.overage_policy}"'
    return text


def _standing(standing: Standing) -> str:
    """What authority saw; mostly nothing."""
    text = ',"observed":true' if standing.observed else ""
    if standing.stop is not None:
        text += f',"stop":{_json(Stop, standing.stop)}'
    if standing.match is not None:
        policy = standing.match.policy
        named = _policy(policy.policy_id, policy.name, policy.priority, standing.match.scope)
        text += f',"policy":{named}'
    if standing.quotas:
        text += f',"quotas":[{",".join([_limit(quota) for quota in standing.quotas])}]'
    if standing.rate is not None:
        text += f',"rate":{_limit(standing.rate)}'
    return text


@lru_cache(maxsize=4_096)
def _policy(policy_id: str, name: str, priority: int, scope: str) -> str:
    return f"[{quoted(policy_id)},{quoted(name)},{priority},{quoted(scope)}]"


def _limit(considered: Considered) -> str:
    return f"{_counted(considered.key)},{considered.used},{considered.limit}]"


@lru_cache(maxsize=4_096)
def _counted(key: Key) -> str:
    """What is counted where, up to the numbers."""
    _, _, scope, counted, window, bucket = key
    return f"[{quoted(scope)},{quoted(counted)},{quoted(window)},{quoted(bucket)}"


def _account(account: Account) -> str:
    """A budget, without the debt that it mostly has not."""
    text = (
        f"{_named(account.scope, account.status)},{account.allocated},{account.spent}"
        f",{account.reserved}"
    )
    if account.debt or account.overdraft_limit or account.is_over_limit:
        flag = "true" if account.is_over_limit else "false"
        text += f",{account.debt},{account.overdraft_limit},{flag}"
    return text + "]"


@lru_cache(maxsize=4_096)
def _named(scope: str, status: BudgetStatus) -> str:
    return f'[{quoted(scope)},"{status}"'


def _refusal(answer: Denied | Refused) -> str:
    if isinstance(answer, Refused):
        scope, fix = answer.scope, answer.suggested_fix
    else:
        detail = answer.detail
        scope = None if detail is None else detail.blocked_by_scope
        fix = None if detail is None else detail.suggested_fix
    said = SeenRefusal(message=answer.message, scope=scope, suggested_fix=fix)
    return _json(SeenRefusal, said)


def _json(record_type: type[Any], value: Any) -> str:
    return to_json(record_type, value).decode()

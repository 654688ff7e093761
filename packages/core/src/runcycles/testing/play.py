"""Scenarios in plain text: what was asked, and what came of it.

```
budget   acme                 allocated 100
budget   acme/writer          allocated 80
reserve  r1  acme/editor  70   -> allowed
reserve  r2  acme/writer  40   -> denied BUDGET_EXCEEDED at acme
commit   r1  25                -> charged 25
balance  acme                  -> reserved 0 spent 25 remaining 75
```

One line is one question. Left of the arrow stands what is asked, right of it what must come of
it. A line whose answer differs fails with an `AssertionError`; a word that is not below is a
`ScenarioError` before anything runs. A question without an arrow is an error too. Empty lines
and everything after `#` are skipped.

**Names.** `acme` is a tenant, `acme/writer` its agent; other levels are spelled out, as in
`acme/app:crm/writer` or, without a tenant, `workspace:dev`. The caller is the tenant that is
named, else `acme`; `as other` makes another tenant the caller. `r1` is a label for a reservation;
one that was never given goes out as it stands, as an id.

**Amounts** are whole numbers, TOKENS unless a unit follows. **Times** are `500`, `500ms`,
`65s`, `2m`, `24h`, `30d`.

**Keys.** Every question gets a key of its own, unless `key k` names one.

**What an operator does.** Nothing comes of these; `P` is an overage policy.

```
tenant   acme     status S  ttl T  max-ttl T  max-extensions N  policy P  observe M
budget   acme     allocated N  overdraft N  spent N  reserved N  debt N  over-limit
                  state S  policy P  as T
set      acme     the same without a policy, for a budget that is there
freeze   acme     also unfreeze, close and remove;  as T
advance  65s
```

**What an operator says about actions.** `p1` and `s1` are the ids of a policy and of a stop; a
policy that is said again is replaced. Scopes may be a pattern, `acme/agent:*` or, for all below,
`acme/*`. Kinds have commas and no spaces between them, and so have quotas: so many in a `run`,
`minute`, `hour`, `day` or `tenant-day`, of a kind or of a risk class.

```
policy   p1 acme  denies payment.charge,payment.refund  allows llm.completion
                  quotas message.email.send=3/run,high_risk=5/hour  rate N  commit-rate N
                  priority N  overage P  ttl T  max-ttl T  max-extensions N  max-tokens N
                  from T  until T  off  as T
declare  custom.acme.launch high_risk
stop     s1 acme  because WORD; of everything there is: stop s1 everything
lift     s1
```

**What an agent asks**, and what may come of it. `left` is what remains of the lease, `affected`
counts scopes and `budgets` those of them that have one. Without its `kind` an action is an
`llm.completion`; `run` names its run, and `host`, `domain` and `resource` say what it touches.

```
reserve  r1 acme 70   policy P  ttl T  grace T  observe M  key K  as T
                      kind K  run R  host H  domain D  resource R
                                         -> allowed  held N  left T  affected N  budgets N
                                            with-caps  max-tokens N  observed
dry-run  acme 70      the same           -> allowed  held N  affected N  budgets N  with-caps
decide   acme 70      the action, key K  -> allowed  affected N  with-caps
commit   r1 25        key K  as T        -> charged N  released N
release  r1           key K  as T        -> released N
extend   r1 30s       key K  as T        -> extended  left T
event    acme 10      policy P kind K key K as T
                                         -> applied  charged N  capped
```

**What a reader sees.** The arrow of `sweep` may be left out.

```
fund     acme 50      as T               -> funded
sweep                                    -> expired N
balance  acme         as T               -> allocated N  reserved N  spent N  debt N  remaining N
                                            overdraft N  over-limit  state S, or none
reservation r1                           -> state S  held N  charged N  policy P, or none
counter  acme KIND hour 2027-01-15T08    -> used N  limit N  by p1, or none
```

Instead there may come `denied REASON` (of a question), or `refused CODE` (of anything), with
`at SCOPE`, `by POLICY`, `used N limit N` (of a quota), `remaining N`, `retry T` and `http STATUS`.
An answer that was remembered is `replayed`, and must be called so; a charge that was `capped`, a
budget that is `over-limit`, a permission `with-caps` and what was only `observed` must be as well.
"""

from collections.abc import Mapping
from dataclasses import replace
from itertools import count
from typing import Any, Final, cast

from runcycles.errors import CyclesProtocolError
from runcycles.ledger.idempotency import Replayed
from runcycles.ledger.policies import RateLimits, TtlOverride, counter_key
from runcycles.ops import Commit, Decide, Extend, Op, Record, Release, Reserve
from runcycles.scopes import segments
from runcycles.testing.authority import InMemoryAuthority, received
from runcycles.testing.facts import (
    Facts,
    facts_of,
    facts_of_account,
    facts_of_counter,
    facts_of_error,
    facts_of_reservation,
)
from runcycles.testing.scenario import Line, ScenarioError, read_scenario, scope_of
from runcycles.types import Action, Amount, BudgetStatus, Caps, PolicyKeys, RiskClass, Unit

MUST_BE_SAID: Final = ("replayed", "capped", "over-limit", "observed", "with-caps")
"""Facts that change what a line means, so that no line can pass over them."""

_STATES: Final = {
    "freeze": BudgetStatus.FROZEN,
    "unfreeze": BudgetStatus.ACTIVE,
    "close": BudgetStatus.CLOSED,
}
_FIELDS: Final = {
    "overdraft": "overdraft_limit",
    "over-limit": "is_over_limit",
    "state": "status",
    "policy": "overage_policy",
    "ttl": "default_ttl_ms",
    "max-ttl": "max_ttl_ms",
    "max-extensions": "max_extensions",
    "observe": "observe_mode",
}
"""What the words of a scenario are called in the records."""


def play(text: str, authority: InMemoryAuthority | None = None) -> InMemoryAuthority:
    """Play a scenario on a new authority, or on one that has a past, and give it back.

    Raises:
        AssertionError: where an answer is not the one that its line expects.
        ScenarioError: where the scenario cannot be understood.
    """
    stage = _Stage(InMemoryAuthority() if authority is None else authority)
    for line in read_scenario(text):
        try:
            facts = stage.perform(line)
        except ScenarioError as problem:
            raise ScenarioError(f"line {line.number}: {line.text}\n{problem}") from problem
        if line.expected:
            _compare(line, facts)
    return stage.authority


def _compare(line: Line, facts: Facts) -> None:
    wrong = any(facts.get(word) != value for word, value in line.expected.items())
    unsaid = any(facts.get(word) and word not in line.expected for word in MUST_BE_SAID)
    if wrong or unsaid:
        raise AssertionError(
            f"line {line.number}: {line.text}\n"
            f"expected: {_said(line.expected)}\n"
            f"got:      {_said(facts)}"
        )


def _said(facts: Mapping[str, Any]) -> str:
    holds = {
        word: value for word, value in facts.items() if value is not None and value is not False
    }
    return " ".join(word if value is True else f"{word} {value}" for word, value in holds.items())


class _Stage:
    """An authority, and which label stands for which reservation."""

    def __init__(self, authority: InMemoryAuthority) -> None:
        self.authority = authority
        self._ids: dict[str, str] = {}
        self._keys = (f"question-{number}" for number in count(1))

    def perform(self, line: Line) -> Facts:
        """Do what a line says; what came of it."""
        given = line.given
        match line.verb:
            case "reserve" | "dry-run" | "decide" | "event":
                return self._ask(line.verb, given)
            case "commit" | "release" | "extend":
                return self._settle(line.verb, given)
            case "reservation":
                found = self.authority.reservation(self._id(given["label"]))
                return {"none": True} if found is None else facts_of_reservation(found)
            case "sweep":
                return {"expired": self.authority.sweep()}
            case "advance":
                self.authority.clock.advance(given["time"])
                return {}
            case "tenant":
                self.authority.set_tenant(given["name"], **_fields(given, "name"))
                return {}
            case "counter":
                return self._counter(given)
            case _:
                try:
                    return self._operate(line.verb, given)
                except (LookupError, ValueError, OverflowError) as problem:
                    raise ScenarioError(str(problem)) from problem

    # ── what operators do to a budget ────────────────────────────────────────────────────────

    def _operate(self, verb: str, given: Mapping[str, Any]) -> Facts:
        if verb in ("policy", "declare", "stop", "lift"):
            self._rule(verb, given)
            return {}
        authority, tenant = self.authority, self._caller(given)
        scope, unit = scope_of(given["subject"]), given.get("unit", Unit.TOKENS)
        fields = _fields(given, "subject", "unit", "as", "amount")
        match verb:
            case "budget":
                allocated = Amount(unit=unit, amount=fields.pop("allocated", 0))
                authority.add_budget(scope, allocated, tenant=tenant, **fields)
            case "set":
                authority.edit_budget(scope, unit, tenant=tenant, **fields)
            case "remove":
                authority.remove_budget(scope, unit, tenant=tenant)
            case "fund":
                try:
                    authority.fund(scope, _amount(given), tenant=tenant)
                except CyclesProtocolError as error:
                    return facts_of_error(error)
                return {"funded": True}
            case "balance":
                try:
                    return facts_of_account(authority.account(scope, unit, tenant=tenant))
                except LookupError:
                    return {"none": True}
            case _:
                authority.edit_budget(scope, unit, tenant=tenant, status=_STATES[verb])
        return {}

    # ── what operators say about actions ─────────────────────────────────────────────────────

    def _rule(self, verb: str, given: Mapping[str, Any]) -> None:
        authority = self.authority
        match verb:
            case "policy":
                tenant = given.get("as") or segments(given["pattern"]).get("tenant")
                authority.add_policy(
                    given["pattern"],
                    tenant=tenant,
                    policy_id=given["label"],
                    **_policy_fields(given, authority.clock.now_ms()),
                )
            case "declare":
                authority.declare_kind(given["kind"], given["risk"])
            case "stop":
                reason = given.get("because", "the scenario says so")
                authority.stop(given["target"], reason=reason, stop_id=given["label"])
            case _:
                authority.lift(given["label"])

    def _counter(self, given: Mapping[str, Any]) -> Facts:
        counted = given["counted"]
        if counted in tuple(RiskClass):
            counted = f"__risk__:{counted}"
        scope = scope_of(given["subject"])
        key = counter_key(self._caller(given), scope, counted, given["window"], given["bucket"])
        found = [each for each in self.authority.counters() if each.key == key]
        return facts_of_counter(found[0]) if found else {"none": True}

    # ── what agents ask ──────────────────────────────────────────────────────────────────────

    def _ask(self, verb: str, given: Mapping[str, Any]) -> Facts:
        asked: dict[str, Any] = {
            "idempotency_key": self._key(given),
            "subject": given["subject"],
            "action": _action(given),
        }
        if "run" in given:
            dimensions = {"run_id": given["run"]}
            asked["subject"] = replace(given["subject"], dimensions=dimensions)
        if verb == "event":
            record = Record(**asked, actual=_amount(given), overage_policy=given.get("policy"))
            return self._send(record, self._caller(given))
        if verb == "decide":
            return self._send(Decide(**asked, estimate=_amount(given)), self._caller(given))
        reserve = Reserve(
            **asked,
            estimate=_amount(given),
            ttl_ms=given.get("ttl"),
            grace_period_ms=given.get("grace"),
            overage_policy=given.get("policy"),
            dry_run=verb == "dry-run" or None,
            observe_mode=given.get("observe"),
        )
        return self._send(reserve, self._caller(given), label=given.get("label"))

    def _settle(self, verb: str, given: Mapping[str, Any]) -> Facts:
        reservation_id = self._id(given["label"])
        key = self._key(given)
        found = self.authority.reservation(reservation_id)
        owner = self.authority.tenant if found is None else found.tenant
        op: Commit | Release | Extend
        if verb == "commit":
            op = Commit(reservation_id=reservation_id, idempotency_key=key, actual=_amount(given))
        elif verb == "release":
            op = Release(reservation_id=reservation_id, idempotency_key=key)
        else:
            op = Extend(
                reservation_id=reservation_id, idempotency_key=key, extend_by_ms=given["time"]
            )
        return self._send(op, given.get("as", owner))

    def _send(
        self,
        op: Reserve | Decide | Record | Commit | Release | Extend,
        tenant: str,
        *,
        label: str | None = None,
    ) -> Facts:
        try:
            answer = self.authority.ask(op, tenant=tenant)
            reply: Any = received(cast("Op[Any]", op), answer)
        except CyclesProtocolError as error:
            return facts_of_error(error)
        facts = {"replayed": isinstance(answer, Replayed)} | facts_of(op, reply)
        if label is None:
            return facts
        if getattr(reply, "reservation_id", None) is None:
            return facts | {"observed": True}
        known = self._ids.setdefault(label, reply.reservation_id)
        if known != reply.reservation_id:
            raise ScenarioError(f"{label} stands for another reservation already")
        return facts

    def _key(self, given: Mapping[str, Any]) -> str:
        found: str | None = given.get("key")
        return next(self._keys) if found is None else found

    def _id(self, label: str) -> str:
        return self._ids.get(label, label)

    def _caller(self, given: Mapping[str, Any]) -> str:
        found: str = given.get("as") or given["subject"].tenant or self.authority.tenant
        return found


def _amount(given: Mapping[str, Any]) -> Amount:
    return Amount(unit=given.get("unit", Unit.TOKENS), amount=given["amount"])


def _action(given: Mapping[str, Any]) -> Action:
    keys = {"host": "host", "domain": "recipient_domain", "resource": "resource_type"}
    said = {keys[word]: given[word] for word in keys if word in given}
    return Action(
        kind=given.get("kind", "llm.completion"),
        name="gpt-4o",
        policy_keys=PolicyKeys(**said) if said else None,
    )


def _policy_fields(given: Mapping[str, Any], now_ms: int) -> dict[str, Any]:
    """The options of a policy under the names that its record gives them."""
    return {
        "denied_action_kinds": given.get("denies", ()),
        "allowed_action_kinds": given.get("allows", ()),
        "quotas": given.get("quotas", ()),
        "priority": given.get("priority", 0),
        "overage_policy": given.get("overage"),
        "caps": Caps(max_tokens=given["max-tokens"]) if "max-tokens" in given else None,
        "rate_limits": RateLimits(
            max_reservations_per_minute=given.get("rate"),
            max_commits_per_minute=given.get("commit-rate"),
        ),
        "ttl_override": TtlOverride(
            default_ttl_ms=given.get("ttl"),
            max_ttl_ms=given.get("max-ttl"),
            max_extensions=given.get("max-extensions"),
        ),
        "effective_from_ms": now_ms + given["from"] if "from" in given else None,
        "effective_until_ms": now_ms + given["until"] if "until" in given else None,
        "is_active": "off" not in given,
    }


def _fields(given: Mapping[str, Any], *without: str) -> dict[str, Any]:
    """The options of a line under the names that the records give them."""
    return {_FIELDS.get(word, word): value for word, value in given.items() if word not in without}

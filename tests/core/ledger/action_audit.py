"""The ledger and the naive model side by side again, now with authority: policies, quotas, stops.

Agents ask and settle as in the audit of the ledger, under whatever the policies say. Operators
leave budgets and tenants alone here, so that it is mostly authority that says no.
"""

from collections.abc import Mapping
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, precondition, rule

from runcycles.ledger.policies import Quota, RateLimits, TtlOverride
from runcycles.ops import Commit, Decide, Record, Reserve
from runcycles.types import (
    Action,
    Caps,
    ObserveMode,
    OveragePolicy,
    PolicyKeys,
    QuotaWindow,
    RiskClass,
    Subject,
    tokens,
)
from tests.core.ledger.audit import BUDGETS, KEYS, POLICIES, WHICH, Audit, Question
from tests.core.ledger.naive_actions import NaiveAuthority

EMAIL = "message.email.send"
KINDS = [EMAIL, EMAIL, "message.sms.send", "db.query", "llm.completion", "not.registered"]
CUSTOM = "custom.acme.launch"
HOSTS = ["a.com", "b.com"]
SUBJECTS = [
    Subject(tenant="acme", agent="bot"),
    Subject(tenant="acme", agent="Bot"),
    Subject(tenant="acme", workspace="dev", agent="bot"),
    Subject(tenant="acme"),
    Subject(agent="bot"),
    Subject(tenant="beta", agent="bot"),
]
PATTERNS = [
    *(["tenant:acme"] * 5),
    *("tenant:acme/agent:bot", "tenant:acme/agent:bot", "tenant:acme/agent:*"),
    *("tenant:acme/*", "tenant:acme/workspace:dev/*", "tenant:*"),
]
TARGETS = ["*", "tenant:acme", "tenant:beta", "tenant:acme/agent:bot", "agent:bot"]

QUOTAS = st.builds(
    lambda what, most, window, ttl, hosts: {
        **what,
        "most": most,
        "window": window,
        "ttl": ttl if window == "per_run" else None,
        "hosts": hosts if "kind" in what else [],
    },
    what=st.sampled_from(
        [{"kind": kind} for kind in {*KINDS, CUSTOM}]
        + [{"risk_class": str(each)} for each in RiskClass]
        + [{"kind": EMAIL}] * 9
        + [{"risk_class": "external_side_effect"}] * 6
    ),
    most=st.integers(1, 3),
    window=st.sampled_from([str(window) for window in QuotaWindow] + ["per_run"] * 5),
    ttl=st.sampled_from([None, None, 60_000]),
    hosts=st.sampled_from([[], [], [], ["a.com"], HOSTS]),
)
LISTS = st.lists(st.sampled_from([*KINDS, CUSTOM]), max_size=3)
MOSTLY_NO_LIST: st.SearchStrategy[list[str]] = st.one_of(
    st.just([]), st.just([]), st.just([]), LISTS
)
MOSTLY_NONE = [None, None, None, None]


class ActionAudit(Audit):
    def __init__(self) -> None:
        super().__init__()
        self.actions = NaiveAuthority(self.clock.now_ms())
        self.model = self.actions

    operate_on_a_budget = change_a_tenant = None  # type: ignore[assignment]  # left alone here
    reserve = reserve_a_little = decide = None  # type: ignore[assignment]  # the rule act asks both
    commit = record = None  # type: ignore[assignment]  # here of small amounts

    @initialize()
    def open_the_first_budgets(self) -> None:
        for key in BUDGETS[:4]:
            self._open(key, 10_000, 0, None)

    # --- what operators say ---

    @rule(
        policy_id=st.sampled_from(["p1", "p2", "p3"]),
        tenant=st.sampled_from(["acme"] * 5 + ["beta"]),
        pattern=st.sampled_from(PATTERNS),
        quotas=st.lists(QUOTAS, max_size=4),
        denied=MOSTLY_NO_LIST,
        allowed=MOSTLY_NO_LIST,
        rate=st.sampled_from([*MOSTLY_NONE, 1, 3]),
        commit_rate=st.sampled_from([*MOSTLY_NONE, 1, 3]),
        priority=st.integers(0, 1),
        active=st.sampled_from([True] * 5 + [False]),
        overage=POLICIES,
        ttl=st.sampled_from([*MOSTLY_NONE, 5_000]),
        max_ttl=st.sampled_from([*MOSTLY_NONE, 4_000]),
        extensions=st.sampled_from([*MOSTLY_NONE, 0, 1]),
        max_tokens=st.sampled_from([*MOSTLY_NONE, 7]),
    )
    def say_what_may_be_done(
        self, policy_id: str, tenant: str, pattern: str, quotas: list[dict[str, Any]], **said: Any
    ) -> None:
        since = self.clock.now_ms()
        self.actions.policies[tenant, policy_id] = {
            **said,
            "id": policy_id,
            "pattern": pattern,
            "quotas": quotas,
            "since": since,
        }
        ttl = TtlOverride(
            default_ttl_ms=said["ttl"],
            max_ttl_ms=said["max_ttl"],
            max_extensions=said["extensions"],
        )
        rates = RateLimits(
            max_reservations_per_minute=said["rate"], max_commits_per_minute=said["commit_rate"]
        )
        most = said["max_tokens"]
        self.authority.add_policy(
            pattern,
            tenant=tenant,
            policy_id=policy_id,
            quotas=tuple(a_quota(quota) for quota in quotas),
            denied_action_kinds=tuple(said["denied"]),
            allowed_action_kinds=tuple(said["allowed"]),
            rate_limits=rates,
            ttl_override=ttl,
            priority=said["priority"],
            is_active=said["active"],
            overage_policy=said["overage"],
            caps=None if most is None else Caps(max_tokens=most),
        )

    @rule(
        pattern=st.sampled_from(PATTERNS),
        what=st.sampled_from([{"kind": EMAIL}, {"risk_class": "external_side_effect"}]),
        most=st.integers(1, 3),
        window=st.sampled_from([str(window) for window in QuotaWindow]),
        ttl=st.sampled_from([None, 60_000]),
        hosts=st.sampled_from([[], [], ["b.com"]]),
        denied=st.sampled_from([[], [], [], [EMAIL]]),
        allowed=st.sampled_from([[], [], [], ["db.query"]]),
    )
    def limit_emails(
        self,
        *,
        pattern: str,
        what: dict[str, str],
        most: int,
        window: str,
        ttl: int | None,
        hosts: list[str],
        **lists: list[str],
    ) -> None:
        """A policy that says little else, so that quotas mostly have the say."""
        kept = ttl if window == "per_run" else None
        listed = hosts if "kind" in what else []
        quota = {**what, "most": most, "window": window, "ttl": kept, "hosts": listed}
        nothing = dict.fromkeys(("rate", "commit_rate", "overage", "ttl", "max_ttl", "extensions"))
        said: dict[str, Any] = {**lists, "active": True, "max_tokens": None}
        self.say_what_may_be_done("p1", "acme", pattern, [quota], **nothing, **said, priority=2)

    @rule(where=st.sampled_from(TARGETS), lift=st.sampled_from([True] * 4 + [False]))
    def stop_or_lift(self, where: str, lift: bool) -> None:
        if lift and self.actions.stops:
            stop_id = next(iter(self.actions.stops))
            del self.actions.stops[stop_id]
            self.authority.lift(stop_id)
        elif not lift:
            stop = self.authority.stop(where, reason="the audit wants it")
            self.actions.stops[stop.stop_id] = where

    @rule(
        tenant=st.sampled_from(["acme", "beta"]), mode=st.sampled_from([*MOSTLY_NONE, *ObserveMode])
    )
    def observe(self, tenant: str, mode: ObserveMode | None) -> None:
        told = self.model.tenants.setdefault(tenant, {})
        told["observe"] = mode
        self.authority.set_tenant(tenant, observe_mode=mode or ObserveMode.ENFORCE)

    @rule(risk_class=st.sampled_from(RiskClass), really=st.sampled_from([False] * 4 + [True]))
    def declare_a_kind(self, risk_class: RiskClass, really: bool) -> None:
        if not really:
            return
        self.actions.custom_kinds[CUSTOM] = str(risk_class)
        self.authority.declare_kind(CUSTOM, risk_class)

    # --- what agents do ---

    @rule(
        subject=st.sampled_from(SUBJECTS),
        kind=st.sampled_from([*KINDS, *KINDS, CUSTOM]),
        run=st.sampled_from(["one", "one", "two", None]),
        host=st.sampled_from([None, *HOSTS]),
        amount=st.sampled_from([0, 1, 5, 10_001]),
        key=KEYS,
        how=st.sampled_from(["live"] * 6 + ["dry", "decide"]),
        mode=st.sampled_from([*MOSTLY_NONE, *ObserveMode]),
        ttl=st.sampled_from([None, 600_000]),
    )
    def act(
        self,
        *,
        subject: Subject,
        kind: str,
        run: str | None,
        host: str | None,
        amount: int,
        key: str,
        how: str,
        mode: ObserveMode | None,
        ttl: int | None,
    ) -> None:
        asked: dict[str, Any] = {
            "idempotency_key": self._key(key),
            "subject": _in_run(subject, run),
            "action": Action(kind=kind, name="x", policy_keys=PolicyKeys(host=host)),
            "estimate": tokens(amount),
        }
        dry_run = True if how == "dry" else None
        op: Question = (
            Decide(**asked)
            if how == "decide"
            else Reserve(**asked, dry_run=dry_run, observe_mode=mode, ttl_ms=ttl)
        )
        self._ask(op, subject.tenant or "acme")

    @rule(kind=st.sampled_from([EMAIL, EMAIL, "message.sms.send"]), times=st.integers(2, 5))
    def act_again_and_again(self, kind: str, times: int) -> None:
        """So that quotas are mostly near their end."""
        for _ in range(times):
            self.act(
                subject=SUBJECTS[0],
                kind=kind,
                run="one",
                host="a.com",
                amount=0,
                key="",
                how="live",
                mode=None,
                ttl=600_000,
            )

    @rule()
    def outlive_a_counter(self) -> None:
        """What was reserved before a run's counter was forgotten is let go after that."""
        self.limit_emails(
            pattern="tenant:acme/agent:bot",
            what={"kind": EMAIL},
            most=3,
            window="per_run",
            ttl=60_000,
            hosts=[],
            denied=[],
            allowed=[],
        )
        self.act_again_and_again(EMAIL, 1)
        self.let_time_pass(60_000)
        self.act_again_and_again(EMAIL, 1)
        if self.model.holds:
            self.release(which=1, key="", stranger="")

    @precondition(lambda self: self.model.active())
    @rule()
    def let_the_latest_go(self) -> None:
        self.release(which=0, key="", stranger="")

    @precondition(lambda self: self.model.holds)
    @rule(which=WHICH, amount=st.integers(0, 9), key=KEYS)
    def commit_some(self, which: int, amount: int, key: str) -> None:
        hold_id, hold = self._hold(which)
        key = self._key(key)
        op = Commit(reservation_id=hold_id, idempotency_key=key, actual=tokens(amount))
        self._ask(op, hold["tenant"])

    @rule(subject=st.sampled_from(SUBJECTS), kind=st.sampled_from([EMAIL, CUSTOM]), policy=POLICIES)
    def spend_some(self, subject: Subject, kind: str, policy: OveragePolicy | None) -> None:
        op = Record(
            idempotency_key=self._key(""),
            subject=subject,
            action=Action(kind=kind, name="x"),
            actual=tokens(3),
            overage_policy=policy,
        )
        self._ask(op, subject.tenant or "acme")

    # --- the comparison ---

    def _ask(self, op: Question, caller: str) -> None:
        before = self._books()
        super()._ask(op, caller)
        if self.said_no:
            assert self._books() == before

    def _books(self) -> tuple[Any, Any]:
        return self.authority.accounts(), self.authority.counters()

    @invariant()
    def counters_agree(self) -> None:
        now_ms = self.clock.now_ms()
        assert {
            counter.key[1:]: counter.used
            for counter in self.authority.counters()
            if counter.used and counter.expires_at_ms > now_ms
        } == self.actions.counted()

    @invariant()
    def no_counter_is_above_its_limit_nor_below_what_is_held(self) -> None:
        """Asked of the ledger alone: an error that the model shares would show here."""
        held = [row for row in self.authority.reservations() if row.status == "ACTIVE"]
        for counter in self.authority.counters():
            in_it = [
                row
                for row in held
                if counter.key in row.counted and row.created_at_ms >= counter.begun_at_ms
            ]
            assert len(in_it) <= counter.used <= counter.limit


def a_quota(said: Mapping[str, Any]) -> Quota:
    what: dict[str, Any] = {"action_kind": said.get("kind")}
    if "risk_class" in said:
        what = {"risk_class": RiskClass(said["risk_class"])}
    return Quota(
        max_calls=said["most"],
        window=QuotaWindow(said["window"]),
        host_allowlist=tuple(said["hosts"]),
        per_run_counter_ttl_ms=said["ttl"],
        **what,
    )


def _in_run(subject: Subject, run: str | None) -> Subject:
    dimensions = None if run is None else {"run_id": run}
    return Subject(
        tenant=subject.tenant,
        workspace=subject.workspace,
        agent=subject.agent,
        dimensions=dimensions,
    )

"""`cycles policy`: which actions may happen, and how often."""

import re
from typing import Annotated, Any, Final

import typer

from runcycles.types import QuotaWindow
from runcycles_server.cli.command_group import group
from runcycles_server.cli.output import Json, field, show_json, show_rows, state
from runcycles_server.cli.remote import Remote, escaped
from runcycles_server.governance.scopes import owner_of

policies = group("Policies: which actions may happen, and how often.")

WINDOWS: Final = {
    "run": QuotaWindow.PER_RUN,
    "minute": QuotaWindow.PER_MINUTE,
    "hour": QuotaWindow.PER_HOUR,
    "day": QuotaWindow.PER_DAY,
    "tenant-day": QuotaWindow.PER_TENANT_PER_DAY,
}
_QUOTA: Final = re.compile(r"(?P<what>[^=]+)=(?P<calls>[0-9]{1,6})/(?P<window>[a-z-]+)")

PolicyId = Annotated[str, typer.Argument(metavar="POLICY", help="As the list shows it: pol_…")]
Denied = Annotated[
    list[str] | None, typer.Option("--deny", help="A kind of action that may not; repeatable.")
]
Allowed = Annotated[
    list[str] | None, typer.Option("--allow", help="A kind that alone may; repeatable.")
]
Quotas = Annotated[
    list[str] | None,
    typer.Option("--quota", help="message.email.send=3/run (minute, hour, day, tenant-day)."),
]
RiskQuotas = Annotated[
    list[str] | None,
    typer.Option("--risk-quota", help="external_side_effect=50/hour, of a whole risk class."),
]
Priority = Annotated[int | None, typer.Option(help="The highest one that matches decides alone.")]
MaxTokens = Annotated[int | None, typer.Option(help="Cap the tokens of an allowed call.")]
DenyTools = Annotated[
    list[str] | None, typer.Option("--deny-tool", help="Cap: a tool that may not; repeatable.")
]

_PATH = "/v1/admin/policies"


def _rules(row: Any) -> str:
    """What a policy says, in few words."""
    short = {window: name for name, window in WINDOWS.items()}
    said = [f"deny {kind}" for kind in row.get("denied_action_kinds", ())]
    said += [f"allow {kind}" for kind in row.get("allowed_action_kinds", ())]
    for quota in (*row.get("action_quotas", ()), *row.get("risk_class_quotas", ())):
        what = quota.get("action_kind") or quota.get("risk_class")
        said.append(f"{what} {quota['max_calls']}/{short[QuotaWindow(quota['window'])]}")
    said += [f"cap {name}" for name in row.get("caps", {})]
    return "\n".join(said)


_COLUMNS = {
    "policy": field("policy_id"),
    "name": field("name"),
    "for": field("scope_pattern"),
    "priority": field("priority"),
    "status": state,
    "says": _rules,
}


@policies.command("create")
def create(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What people call it.")],
    *,
    scope: Annotated[str, typer.Option(help="tenant:acme, tenant:acme/*, tenant:acme/agent:* …")],
    deny: Denied = None,
    allow: Allowed = None,
    quota: Quotas = None,
    risk_quota: RiskQuotas = None,
    priority: Priority = None,
    max_tokens: MaxTokens = None,
    deny_tool: DenyTools = None,
    as_json: Json = False,
) -> None:
    """Make a policy. It covers the scopes that match and all below them.

    [bold]Examples[/bold]

      cycles policy create "no payments" --scope tenant:acme --deny payment.charge --priority 10

      cycles policy create "few mails" --scope tenant:acme --quota message.email.send=3/run

      cycles policy create "slowly" --scope tenant:acme/* --risk-quota external_side_effect=50/hour
    """
    body = {"name": name, "scope_pattern": scope}
    if Remote.is_operator():
        body["tenant_id"] = owner_of(scope)
    body |= _said(
        deny=deny,
        allow=allow,
        quota=quota,
        risk_quota=risk_quota,
        priority=priority,
        max_tokens=max_tokens,
        deny_tool=deny_tool,
    )
    _show(Remote.from_env().post(_PATH, body), as_json)


@policies.command("list")
def list_all(
    *,
    tenant: Annotated[str | None, typer.Option(help="Whose; the admin key has to say.")] = None,
    status: Annotated[str | None, typer.Option(help="ACTIVE or DISABLED.")] = None,
    kind: Annotated[str | None, typer.Option(help="Only those that speak of this kind.")] = None,
    as_json: Json = False,
) -> None:
    """Show the policies of a tenant.

    [bold]Example[/bold]

      cycles policy list --tenant acme
    """
    rows = Remote.from_env().every(
        _PATH, "policies", tenant_id=tenant, status=status, references_action_kind=kind
    )
    if as_json:
        show_json({"policies": rows})
    else:
        show_rows(rows, _COLUMNS, "There is no such policy.")


@policies.command("update")
def update(
    policy_id: PolicyId,
    *,
    name: Annotated[str | None, typer.Option(help="Another name.")] = None,
    deny: Denied = None,
    allow: Allowed = None,
    quota: Quotas = None,
    risk_quota: RiskQuotas = None,
    priority: Priority = None,
    max_tokens: MaxTokens = None,
    deny_tool: DenyTools = None,
    as_json: Json = False,
) -> None:
    """Change a policy; a list replaces what was there.

    [bold]Example[/bold]

      cycles policy update pol_0199… --quota message.email.send=10/run
    """
    body = _said(
        deny=deny,
        allow=allow,
        quota=quota,
        risk_quota=risk_quota,
        priority=priority,
        max_tokens=max_tokens,
        deny_tool=deny_tool,
    )
    if name is not None:
        body["name"] = name
    if not body:
        raise typer.BadParameter("say what to change")
    _patch(policy_id, body, as_json)


@policies.command("disable")
def disable(policy_id: PolicyId, *, as_json: Json = False) -> None:
    """Let a policy decide nothing, until it is enabled again."""
    _patch(policy_id, {"status": "DISABLED"}, as_json)


@policies.command("enable")
def enable(policy_id: PolicyId, *, as_json: Json = False) -> None:
    """Let a disabled policy decide again."""
    _patch(policy_id, {"status": "ACTIVE"}, as_json)


def _said(
    *,
    deny: list[str] | None,
    allow: list[str] | None,
    quota: list[str] | None,
    risk_quota: list[str] | None,
    priority: int | None,
    max_tokens: int | None,
    deny_tool: list[str] | None,
) -> dict[str, Any]:
    """The members of a body that were given."""
    caps = {"max_tokens": max_tokens, "tool_denylist": deny_tool}
    said: dict[str, Any] = {
        "denied_action_kinds": deny,
        "allowed_action_kinds": allow,
        "action_quotas": None if quota is None else [_quota(q, "action_kind") for q in quota],
        "risk_class_quotas": (
            None if risk_quota is None else [_quota(q, "risk_class") for q in risk_quota]
        ),
        "priority": priority,
        "caps": {name: value for name, value in caps.items() if value is not None} or None,
    }
    return {name: value for name, value in said.items() if value is not None}


def _quota(text: str, counted: str) -> dict[str, Any]:
    found = _QUOTA.fullmatch(text.strip())
    if found is None or found["window"] not in WINDOWS:
        raise typer.BadParameter(
            f"{text!r} is no quota; write <{counted}>=<number>/<window>, "
            f"the window one of {', '.join(WINDOWS)}"
        )
    window = WINDOWS[found["window"]]
    return {counted: found["what"], "max_calls": int(found["calls"]), "window": window}


def _patch(policy_id: str, body: dict[str, Any], as_json: bool) -> None:
    _show(Remote.from_env().patch(f"{_PATH}/{escaped(policy_id)}", body), as_json)


def _show(found: dict[str, Any], as_json: bool) -> None:
    if as_json:
        show_json(found)
    else:
        show_rows([found], _COLUMNS, "")

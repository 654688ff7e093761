"""Declared kinds as operators read them: like those of the registry."""

from runcycles.actions import ActionKind
from runcycles.ledger.policies import DeclaredKind


def view(kind: DeclaredKind) -> ActionKind:
    """A declared kind as operators read it."""
    return ActionKind(
        kind=kind.kind,
        risk_class=kind.risk_class,
        policy_key_spec=kind.policy_key_spec,
        description=kind.description,
    )

"""How an operator declares kinds of his own. Pure transitions, like the ledger's rules."""

import re
from typing import Final

from runcycles.ledger.policies import DeclaredKind, kind_key
from runcycles.ledger.state import Outcome, Snapshot
from runcycles.ops import Refused
from runcycles_server.governance.kinds.bodies import KindDeclare
from runcycles_server.governance.outcomes import Made
from runcycles_server.governance.refusals import invalid_field

_NAME: Final = re.compile(r"custom(?:\.[a-z0-9](?:[a-z0-9_-]*[a-z0-9])?){2,}")


MAX_DECLARED: Final = 1_000
"""Kinds of an operator's own; they are listed whole."""


def declare(
    snapshot: Snapshot, request: KindDeclare, *, declared: int
) -> Outcome[Made[DeclaredKind] | Refused]:
    """A kind beside so many others, or what the one with this name is from now on."""
    if not _NAME.fullmatch(request.kind):
        reason = f"{request.kind!r} is not custom.<org>.<operation> in small letters and digits"
        return Outcome(invalid_field("kind", reason))
    before: DeclaredKind | None = snapshot.records[kind_key(request.kind)]
    if before is None and declared >= MAX_DECLARED:
        return Outcome(invalid_field("kind", f"{MAX_DECLARED} are declared, which is the most"))

    # From here on it succeeds.
    spec = request.policy_key_spec
    keys = {} if spec is None else {name: getattr(spec, name) for name in spec.__slots__}
    kind = DeclaredKind(
        kind=request.kind,
        risk_class=request.risk_class,
        description=request.description,
        policy_key_spec={name: key for name, key in keys.items() if key is not None} or None,
    )
    made = Made(kind, is_new=before is None)
    return Outcome(made, () if kind == before else (kind,))

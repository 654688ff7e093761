"""What is real in a scene and what is not, said before anything runs."""

import platform
from importlib.metadata import version
from typing import Any

from runcycles_demos.authority.actions import EMAIL
from runcycles_demos.authority.engine import PLAIN
from runcycles_demos.authority.scenes import SCENES
from runcycles_demos.authority.terms import NEXT_EMAIL, UNGATED, Terms

_DISTRIBUTIONS = ("runcycles", "runcycles-server", "runcycles-demos")


def introduction(terms: Terms, *, brief: bool = False) -> dict[str, Any]:
    """Return what is known before a scene, for screens and document; `brief` after another one."""
    engine, scene = terms.engine, SCENES[terms.scene]
    kind = "" if engine is PLAIN else f" ({engine.title} {engine.version})"
    rows = {
        "Real": (
            f"the agent{kind}, its HTTP, the e-mails it sends to an SMTP server and the rows it "
            "changes in a CRM, the runcycles client and its guard, the Cycles server and its "
            "ledger in a SQLite file; server and agent are processes of their own on this machine"
        ),
        "Scripted": f"what the model says, {_pace(terms)}; the customer and her case",
        "Guard": f"{engine.guard}; none in the scene {UNGATED}",
        "Judged": (
            "by the mailbox and the CRM, which know nothing of Cycles; then by the server's "
            "responses and its ledger. What the agent says of itself counts for nothing"
        ),
    }
    versions = {name: version(name) for name in _DISTRIBUTIONS}
    return {
        "scene": terms.scene,
        "engine": {"name": engine.name, "version": engine.version},
        "versions": {**versions, "python": platform.python_version()},
        "period_ms": terms.period_ms,
        "fail_open": terms.fail_open,
        "emails": terms.emails,
        "quota": terms.quota,
        "quotas": {EMAIL: terms.quota} if terms.scene == NEXT_EMAIL else {},
        "headline": scene.headline,
        "story": scene.story,
        "rules": [list(rule) for rule in scene.rules(terms)],
        "cases": [case.id for case in scene.cases(terms)],
        "rows": {} if brief else rows,
        "caption": _caption(terms, versions),
    }


def _pace(terms: Terms) -> str:
    if terms.fast:
        return "and that it says it at once (--fast)"
    return f"and its pace, one answer per {terms.period_ms:g} ms"


def _caption(terms: Terms, versions: dict[str, str]) -> list[str]:
    engine = terms.engine.name
    if terms.engine is not PLAIN:
        engine += f" {terms.engine.version}"
    named = " · ".join(f"{name} {number}" for name, number in versions.items())
    pace = "at once" if terms.fast else f"one answer per {terms.period_ms:g} ms"
    return [
        f"engine {engine} · {named} · Python {platform.python_version()}",
        f"scripted model, {pace} · sent: counted by the mailbox",
    ]

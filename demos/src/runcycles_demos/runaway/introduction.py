"""What is real in the race and what is not, said before anything runs."""

import platform
from importlib.metadata import version
from typing import Any

from runcycles_demos.kit.money import dollars
from runcycles_demos.runaway.terms import CALLS, LIMIT, PRICE, Terms

ENGINE = "plain"
_DISTRIBUTIONS = ("runcycles", "runcycles-server", "runcycles-demos")
_REAL_CALL_S = (1, 2)  # what a call of a real model takes, more or less
_MINUTE_S = 60

STORY = (
    "It drafts a reply to a ticket, has it scored, and refines it until the score reaches 8.0. "
    "No reply ever scores above 6.9, so by itself it never stops."
)


def introduction(terms: Terms) -> dict[str, Any]:
    """Return what is known before the race, for screens and document alike."""
    versions = {name: version(name) for name in _DISTRIBUTIONS}
    return {
        "engine": {"name": ENGINE, "version": versions["runcycles-demos"]},
        "versions": {**versions, "python": platform.python_version()},
        "seed": terms.seed,
        "period_ms": terms.period_ms,
        "cut_s": terms.cut_s,
        "story": STORY,
        "real": (
            "the agent, its HTTP, the runcycles client and its @cycles guard, the Cycles server "
            "and its ledger in a SQLite file; the server, the model and both agents are "
            "processes of their own on this machine"
        ),
        "scripted": f"the model's answers, its price ({dollars(PRICE)} a call), {_pace(terms)}",
        "same": (
            "agent, prompts, model, price, pace and "
            f"cut-off ({_cut(terms)}). The guard around the agent's three functions is the only "
            f"difference; it has {dollars(LIMIT)} to spend"
        ),
        "judged": (
            "by the bill of the model server, which knows nothing of Cycles; the ledger, the "
            "server's log and the agent's own count have to agree with it"
        ),
        "caption": _caption(terms, versions),
    }


def _pace(terms: Terms) -> str:
    if terms.fast:
        return "and no pace at all: every answer comes at once (--fast)"
    least, most = _REAL_CALL_S
    cut_s = terms.cut_s or 0.0
    return (
        f"and its pace: one call per {terms.period_ms:g} ms stands for the {least}–{most} s of a "
        f"real model, so {cut_s:g} s here are {CALLS * least // _MINUTE_S + 1}–"
        f"{CALLS * most // _MINUTE_S} minutes"
    )


def _cut(terms: Terms) -> str:
    return f"{CALLS:,} calls" if terms.cut_s is None else f"{terms.cut_s:g} s"


def _caption(terms: Terms, versions: dict[str, str]) -> list[str]:
    named = " · ".join(f"{name} {number}" for name, number in versions.items())
    pace = "as fast as it goes" if terms.fast else f"one call per {terms.period_ms:g} ms"
    setting = (
        f"scripted model: {dollars(PRICE)} a call, {pace} (a real one takes 1–2 s) · "
        "read from the model's own meter"
    )
    return [
        f"engine {ENGINE} · {named} · Python {platform.python_version()} · seed {terms.seed}",
        setting,
    ]

"""What is real in a scene and what is not, said before anything runs."""

import platform
from importlib.metadata import version
from typing import Any

from runcycles_demos.kit.money import dollars
from runcycles_demos.runaway.agent import MAX_TOKENS
from runcycles_demos.runaway.engine import PLAIN
from runcycles_demos.runaway.terms import LIMIT, RACE, SHADOW, TOKENS, Terms

_DISTRIBUTIONS = ("runcycles", "runcycles-server", "runcycles-demos")
_REAL_CALL_S = (1, 2)  # what a call of a real model takes, more or less
_MINUTE_S = 60

_HEADLINES = {
    RACE: "One support bot, twice at once.",
    SHADOW: "The same bot three times at once, and nothing stops it.",
    TOKENS: "One support bot that pays by the token.",
}
_STORIES = {
    RACE: (
        "It drafts a reply to a ticket, has it scored, and refines it until the score reaches 8.0. "
        "No reply ever scores above 6.9, so by itself it never stops."
    ),
    SHADOW: (
        "One lane knows nothing of Cycles. One is in shadow mode: before each call it asks by a "
        "dry run, then runs whatever the answer is, and records what it spent. The third makes "
        "the common mistake: it asks by a dry run as well, and records nothing."
    ),
    TOKENS: (
        "It shows the model every version it has written so far, so the conversation grows and "
        "each call costs more. A call reserves the most it can cost, by the size of its question "
        f"and a limit of {MAX_TOKENS} tokens for the answer; then it pays what it did cost."
    ),
}
# How much more has to be billed until a line of plain text says so.
_TELL_EVERY = {RACE: LIMIT, SHADOW: 5 * LIMIT, TOKENS: LIMIT // 4}


def introduction(terms: Terms, *, brief: bool = False) -> dict[str, Any]:
    """Return what is known before a scene, for screens and document; `brief` after another one."""
    engine = terms.engine
    rows = {
        "Real": _real(terms),
        "Scripted": f"the model's answers, its price ({_price(terms)}), {_pace(terms)}",
        **_conditions(terms),
        "Judged": (
            "by the bill of the model server, which knows nothing of Cycles; the ledger, the "
            "server's log and the agent's own count have to agree with it"
        ),
    }
    versions = {name: version(name) for name in _DISTRIBUTIONS}
    return {
        "scene": terms.scene,
        "lanes": list(terms.lanes),
        "engine": {"name": engine.name, "version": engine.version},
        "versions": {**versions, "python": platform.python_version()},
        "seed": terms.seed,
        "period_ms": terms.period_ms,
        "cut_s": terms.cut_s,
        "unguarded_spends": terms.calls * terms.price,
        "tell_every": _TELL_EVERY[terms.scene],
        "headline": _HEADLINES[terms.scene],
        "story": _STORIES[terms.scene],
        "rows": _without(rows, "Real", "Judged") if brief else rows,
        "caption": _caption(terms, versions),
    }


def _without(rows: dict[str, str], *names: str) -> dict[str, str]:
    return {name: text for name, text in rows.items() if name not in names}


def _real(terms: Terms) -> str:
    engine = terms.engine
    kind = "" if engine is PLAIN else f" ({engine.title} {engine.version})"
    return (
        f"the agent{kind}, its HTTP, the runcycles client and its guard, the Cycles server "
        "and its ledger in a SQLite file; server, model and every agent are processes of "
        "their own on this machine"
    )


def _conditions(terms: Terms) -> dict[str, str]:
    """What is the same in all lanes, and what is not."""
    same = f"agent, prompts, model, price, pace and cut-off ({_cut(terms)})"
    guard = _guard(terms)
    match terms.scene:
        case "shadow":
            difference = (
                f"Both that ask have a server of their own, with a budget of {dollars(LIMIT)}; "
                f'shadow mode is {guard} and mode="shadow" in the config'
            )
        case "tokens":
            return {"Guard": f"{guard}; it has {dollars(LIMIT)} to spend"}
        case _:
            difference = f"The only difference is {guard}; it has {dollars(LIMIT)} to spend"
    return {"Same": f"{same}. {difference}"}


def _guard(terms: Terms) -> str:
    if terms.by_tokens and terms.engine is PLAIN:
        return "@cycles around the one function that asks the model"
    return terms.engine.guard


def _price(terms: Terms) -> str:
    if terms.by_tokens:
        return "$5 a million tokens in, $25 a million tokens out"
    return f"{dollars(terms.price)} a call"


def _pace(terms: Terms) -> str:
    if terms.fast:
        return "and no pace at all: every answer comes at once (--fast)"
    least, most = _REAL_CALL_S
    stands = f"and its pace: one call per {terms.period_ms:g} ms stands for the {least}–{most} s"
    if terms.by_tokens:
        return f"{stands} of a real model"
    return (
        f"{stands} of a real model, so {terms.paced_s:g} s here are "
        f"{terms.calls * least // _MINUTE_S + 1}–{terms.calls * most // _MINUTE_S} minutes"
    )


def _cut(terms: Terms) -> str:
    return f"{terms.calls:,} calls" if terms.cut_s is None else f"{terms.cut_s:g} s"


def _caption(terms: Terms, versions: dict[str, str]) -> list[str]:
    engine = terms.engine.name
    if terms.engine is not PLAIN:
        engine += f" {terms.engine.version}"
    named = " · ".join(f"{name} {number}" for name, number in versions.items())
    pace = "as fast as it goes" if terms.fast else f"one call per {terms.period_ms:g} ms"
    setting = (
        f"scripted model: {_price(terms)}, {pace} (a real one takes 1–2 s) · "
        "read from the model's own meter"
    )
    return [
        f"engine {engine} · {named} · Python {platform.python_version()} · seed {terms.seed}",
        setting,
    ]

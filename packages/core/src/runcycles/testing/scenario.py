"""Lines of a scenario as values. `runcycles.testing.play` says what they mean.

The whole text is read before anything happens, so a misspelt word is never a line that did nothing.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import Any, Final

from runcycles.errors import ErrorCode, ReasonCode
from runcycles.ledger.policies import EVERYTHING, Quota
from runcycles.scopes import LEVELS, lineage
from runcycles.types import (
    BudgetStatus,
    ObserveMode,
    OveragePolicy,
    QuotaWindow,
    ReservationStatus,
    RiskClass,
    Subject,
    Unit,
)

ARROW: Final = "->"
_WINDOWS: Final = {
    "run": QuotaWindow.PER_RUN,
    "minute": QuotaWindow.PER_MINUTE,
    "hour": QuotaWindow.PER_HOUR,
    "day": QuotaWindow.PER_DAY,
    "tenant-day": QuotaWindow.PER_TENANT_PER_DAY,
}
_MS: Final = {"": 1, "ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}


class ScenarioError(ValueError):
    """The scenario itself is wrong: an unknown word, a missing value, an arrow too many."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line: what to do, with what, and the facts that must come of it."""

    number: int
    text: str
    verb: str
    given: Mapping[str, Any]
    expected: Mapping[str, Any]


def read_scenario(text: str) -> list[Line]:
    """The lines of a scenario.

    Raises:
        ScenarioError: naming the line and the word.
    """
    lines: list[Line] = []
    for number, raw in enumerate(text.splitlines(), 1):
        line = raw.partition("#")[0].strip()
        try:
            if line:
                lines.append(_line(number, line))
        except ScenarioError as problem:
            raise ScenarioError(f"line {number}: {line}\n{problem}") from None
    return lines


def scope_of(subject: Subject) -> str:
    """The scope path of a subject."""
    return lineage(subject)[-1]


# ── the words, each with what follows it ─────────────────────────────────────────────────────


def _number(word: str) -> int:
    if not re.fullmatch(r"-?\d+(_\d+)*", word):
        raise ValueError("write a whole number")
    return int(word)


def _time(word: str) -> int:
    found = re.fullmatch(r"(\d+)(ms|s|m|h|d|)", word)
    if found is None:
        raise ValueError("write e.g. 500, 500ms, 65s, 2m, 24h or 30d")
    return int(found[1]) * _MS[found[2]]


def _subject(word: str) -> Subject:
    """`acme/writer`: a tenant and its agent; any other level is spelled out, `acme/app:crm`."""
    levels: dict[str, Any] = {}
    for part in word.split("/"):
        level, colon, value = part.rpartition(":")
        level = level if colon else "agent" if levels else "tenant"
        if level not in LEVELS or level in levels or not value:
            raise ValueError("write e.g. acme, acme/writer or acme/app:crm/agent:writer")
        levels[level] = value
    return replace(Subject(), **levels)


def _scope(word: str) -> str:
    return scope_of(_subject(word))


def _pattern(word: str) -> str:
    """Scopes by a pattern: a scope, `acme/agent:*`, or `acme/*` for all below it."""
    return f"{_scope(word[:-2])}/*" if word.endswith("/*") else _scope(word)


def _target(word: str) -> str:
    return EVERYTHING if word == "everything" else _scope(word)


def _kinds(word: str) -> tuple[str, ...]:
    return tuple(word.split(","))


def _window(word: str) -> QuotaWindow:
    if word not in _WINDOWS:
        raise ValueError(f"write one of {', '.join(_WINDOWS)}")
    return _WINDOWS[word]


def _quotas(word: str) -> tuple[Quota, ...]:
    """`message.email.send=3/run,high_risk=5/hour`: kinds or risk classes, how often, how long."""
    return tuple(_quota(part) for part in word.split(","))


def _quota(word: str) -> Quota:
    counted, _, limit = word.partition("=")
    calls, _, window = limit.partition("/")
    what: dict[str, Any] = {"action_kind": counted}
    if counted in tuple(RiskClass):
        what = {"risk_class": RiskClass(counted)}
    return Quota(max_calls=_number(calls), window=_window(window), **what)


def _state(word: str) -> BudgetStatus | ReservationStatus:
    return BudgetStatus(word) if word in tuple(BudgetStatus) else ReservationStatus(word)


_FLAG: Final = None
"""A word that stands alone."""
_UNITS: Final = tuple(Unit)

_AFTER: Final[dict[str, Callable[[str], Any] | None]] = {
    **dict.fromkeys(["name", "label", "key", "as", "status", "because", "by"], str),
    **dict.fromkeys(["kind", "run", "host", "domain", "resource", "counted", "bucket"], str),
    **dict.fromkeys(["amount", "allocated", "spent", "reserved", "debt", "overdraft"], _number),
    **dict.fromkeys(["remaining", "charged", "released", "held"], _number),
    **dict.fromkeys(["affected", "budgets", "expired", "http", "max-extensions"], _number),
    **dict.fromkeys(["priority", "rate", "commit-rate", "max-tokens", "used", "limit"], _number),
    **dict.fromkeys(["time", "ttl", "max-ttl", "grace", "left", "retry"], _time),
    **dict.fromkeys(["from", "until"], _time),
    **dict.fromkeys(["over-limit", "allowed", "replayed", "extended", "applied"], _FLAG),
    **dict.fromkeys(["capped", "funded", "none", "off", "observed", "with-caps"], _FLAG),
    **dict.fromkeys(["denies", "allows"], _kinds),
    **dict.fromkeys(["policy", "overage"], OveragePolicy),
    "subject": _subject,
    "at": _scope,
    "pattern": _pattern,
    "target": _target,
    "risk": RiskClass,
    "window": _window,
    "quotas": _quotas,
    "observe": ObserveMode,
    "state": _state,
    "denied": ReasonCode,
    "refused": ErrorCode,
}


@dataclass(frozen=True, slots=True)
class _Form:
    """What a verb takes: words in fixed places, then optional ones; and what may come of it."""

    places: str
    options: str = ""
    facts: str = ""


_COUNTERS: Final = "allocated reserved spent debt overdraft over-limit"
_REFUSAL: Final = "refused at http remaining by retry"
_DENIAL: Final = f"denied {_REFUSAL} affected replayed used limit"
_ALLOWED: Final = "allowed held affected budgets with-caps max-tokens"
_ACTION: Final = "kind run host domain resource"

_FORMS: Final = {
    "tenant": _Form("name", "status ttl max-ttl max-extensions policy observe"),
    "budget": _Form("subject", f"{_COUNTERS} state policy as"),
    "set": _Form("subject", f"{_COUNTERS} state as"),
    "remove": _Form("subject", "as"),
    "freeze": _Form("subject", "as"),
    "unfreeze": _Form("subject", "as"),
    "close": _Form("subject", "as"),
    "fund": _Form("subject amount", "as", f"funded {_REFUSAL}"),
    "policy": _Form(
        "label pattern",
        "denies allows quotas rate commit-rate priority overage ttl max-ttl max-extensions "
        "max-tokens from until off as",
    ),
    "declare": _Form("kind risk"),
    "stop": _Form("label target", "because"),
    "lift": _Form("label"),
    "advance": _Form("time"),
    "sweep": _Form("", "", "expired"),
    "reserve": _Form(
        "label subject amount",
        f"policy ttl grace observe {_ACTION} key as",
        f"{_ALLOWED} left observed {_DENIAL}",
    ),
    "dry-run": _Form(
        "subject amount", f"policy ttl grace {_ACTION} key as", f"{_ALLOWED} {_DENIAL}"
    ),
    "decide": _Form("subject amount", f"{_ACTION} key as", f"{_ALLOWED} {_DENIAL}"),
    "event": _Form(
        "subject amount", "policy kind key as", f"applied charged capped replayed {_REFUSAL}"
    ),
    "commit": _Form("label amount", "key as", f"charged released replayed {_REFUSAL}"),
    "release": _Form("label", "key as", f"released replayed {_REFUSAL}"),
    "extend": _Form("label time", "key as", f"extended left replayed {_REFUSAL}"),
    "balance": _Form("subject", "as", f"{_COUNTERS} remaining state none"),
    "counter": _Form("subject counted window bucket", "as", "used limit by none"),
    "reservation": _Form("label", "", "state held charged policy none"),
}
_MAY_BE_SILENT: Final = ("sweep",)


# ── reading ──────────────────────────────────────────────────────────────────────────────────


def _line(number: int, text: str) -> Line:
    command, *answers = re.split(rf"(?:^|\s){ARROW}(?:\s|$)", text)
    verb, *words = command.split() or [""]
    form = _FORMS.get(verb)
    if form is None:
        raise ScenarioError(_unknown(verb, _FORMS))
    if len(answers) > 1:
        raise ScenarioError("there is more than one arrow")
    if answers and not form.facts:
        raise ScenarioError(f"nothing comes of {verb!r} that could be compared")
    expected = _pairs(iter(answers[0].split()), form.facts) if answers else {}
    if form.facts and not expected and (answers or verb not in _MAY_BE_SILENT):
        raise ScenarioError(f"say what must come of it, e.g. {ARROW} {form.facts.split()[0]}")
    given = _given(form, iter(words))
    return Line(number=number, text=text, verb=verb, given=given, expected=expected)


def _given(form: _Form, words: Iterator[str]) -> dict[str, Any]:
    places = {place: _value(place, next(words, None)) for place in form.places.split()}
    return places | _pairs(words, f"unit {form.options}" if form.places else "")


def _pairs(words: Iterator[str], allowed: str) -> dict[str, Any]:
    pairs: dict[str, Any] = {}
    for word in words:
        name = "unit" if word in _UNITS else word
        if name not in allowed.split():
            raise ScenarioError(_unknown(word, allowed.split()))
        if name in pairs:
            raise ScenarioError(f"{name} is there twice")
        if name == "unit":
            pairs[name] = Unit(word)
        else:
            pairs[name] = True if _AFTER[name] is _FLAG else _value(name, next(words, None))
    return pairs


def _value(name: str, word: str | None) -> Any:
    read = _AFTER[name]
    assert read is not None
    if word is None:
        raise ScenarioError(f"{name} is missing at the end")
    try:
        return read(word)
    except ValueError as problem:
        raise ScenarioError(f"{word!r} cannot be the {name}: {problem}") from None


def _unknown(word: str, known: Iterable[str]) -> str:
    close = get_close_matches(word, [*known], 1)
    meant = f"; did you mean {close[0]!r}?" if close else f"; here may stand: {' '.join(known)}"
    return f"the word {word!r} is not known here{meant}"

"""What no client should send: refused with 400, the field named, nothing changed.

Every row of the tables is one body; a requirement covers the rows under its id.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any, Final

from runcycles_server.conformance.client import Answer
from runcycles_server.conformance.expecting import done, expect, refused, same
from runcycles_server.conformance.registry import Topic
from runcycles_server.conformance.stand import ABSENT, Stand, fresh, tokens

topic = Topic()
check = topic.check

RESERVE: Final = "/v1/reservations"
INT64_MAX: Final = 2**63 - 1
BIDI: Final = "\u202eevil\u202c"

Body = Callable[[Stand], bytes]


def raw(content: bytes) -> Body:
    """These bytes, whatever they are."""
    return lambda _: content


def changed(**changes: Any) -> Body:
    """A good body but for these members."""
    return lambda stand: json.dumps(stand.question(1, **changes)).encode()


def subject(**levels: Any) -> Body:
    """A good body but for these levels of its subject."""
    return lambda stand: json.dumps(stand.question(1, subject=stand.subject(**levels))).encode()


def action(**members: Any) -> Body:
    """A good body but for these members of its action."""
    good = {"kind": "llm.completion", "name": "conformance"}
    return changed(action={**good, **members})


def amount(text: str) -> Body:
    """An estimate whose amount is this text of JSON."""
    return written("estimate", f'{{"unit": "TOKENS", "amount": {text}}}')


def written(member: str, text: str) -> Body:
    """A good body but for one member, which is this text of JSON."""

    def body(stand: Stand) -> bytes:
        whole = json.dumps(stand.question(1, **{member: "THIS"}))
        return whole.replace('"THIS"', text).encode("utf-8", "surrogatepass")

    return body


def twice(member: str, text: str) -> Body:
    """A good body with one member a second time."""

    def body(stand: Stand) -> bytes:
        whole = json.dumps(stand.question(1))
        return f'{{"{member}": {text}, {whole[1:]}'.encode()

    return body


_DEEP: Final = 20_000
_NO_JSON: Final = (
    raw(b""),
    raw(b"estimate=5"),
    raw(b'{"idempotency_key": "a"'),
    raw(b'{"idempotency_key": "a"} x'),
    raw(b"{'idempotency_key': 'a'}"),
    raw(b'{"idempotency_key": "a",}'),
    raw(b'{"idempotency_key": "a" /* why */}'),
)
_LONG: Final = "x" * 129
WRONG: Final[Mapping[str, tuple[str, tuple[Body, ...]]]] = {
    "RT-INPUT-001": ("", _NO_JSON),
    "RT-INPUT-002": ("", (raw(b'{"idempotency_key": "\xff\xfe"}'), raw(b"\xff\xfe{\x00}\x00"))),
    "RT-INPUT-003": ("", tuple(map(raw, (b"[]", b"null", b'"text"', b"5", b"true")))),
    "RT-INPUT-004": (
        "",
        (raw(b"[" * _DEEP), raw(b'{"metadata":' + b'{"a":' * _DEEP + b"1" + b"}" * (_DEEP + 1))),
    ),
    "RT-INPUT-005": ("amount", (amount("NaN"), amount("Infinity"), amount("-Infinity"))),
    "RT-INPUT-006": ("amount", tuple(map(amount, ("1.5", "0.1", "1e-3")))),
    "RT-INPUT-007": ("amount", (amount('"5"'), amount("true"), amount("[1]"), amount("{}"))),
    "RT-INPUT-008": ("amount", (amount("-1"), amount(str(-(2**63))))),
    "RT-INPUT-009": ("amount", (amount(str(2**63)), amount(str(2**64)), amount("9" * 400))),
    "RT-INPUT-010": ("amount", (amount("null"), changed(estimate={"unit": "TOKENS"}))),
    "RT-INPUT-011": (
        "unit",
        (
            changed(estimate={"unit": "EUROS", "amount": 1}),
            changed(estimate={"unit": "tokens", "amount": 1}),
            changed(estimate={"unit": 1, "amount": 1}),
            changed(estimate={"amount": 1}),
        ),
    ),
    "RT-INPUT-012": ("estimate", (changed(estimate=ABSENT), changed(estimate=None))),
    "RT-INPUT-013": (
        "idempotency_key",
        (changed(idempotency_key=ABSENT), changed(idempotency_key=None)),
    ),
    "RT-INPUT-014": ("idempotency_key", (changed(idempotency_key=""),)),
    "RT-INPUT-015": ("idempotency_key", (changed(idempotency_key="k" * 257),)),
    "RT-INPUT-016": (
        "idempotency_key",
        (changed(idempotency_key=5), changed(idempotency_key=["k"])),
    ),
    "RT-INPUT-017": ("subject", (changed(subject=ABSENT), changed(subject=None))),
    "RT-INPUT-018": ("subject", (changed(subject="acme"), changed(subject=["acme"]))),
    "RT-INPUT-019": ("agent", (subject(agent=_LONG),)),
    "RT-INPUT-020": ("agent", (subject(agent=5), subject(agent={"a": 1}))),
    "RT-INPUT-021": ("agent", (subject(agent="a/b"), subject(agent="a:b"))),
    "RT-INPUT-022": ("agent", (subject(agent="a\x00b"), subject(agent="a b"), subject(agent="\n"))),
    "RT-INPUT-023": ("agent", (subject(agent=BIDI), subject(agent="\u0430gent"))),
    "RT-INPUT-024": ("", (written("subject", '{"agent": "\\ud800"}'),)),
    "RT-INPUT-025": ("dimensions", (subject(dimensions={f"d{n}": "" for n in range(17)}),)),
    "RT-INPUT-026": ("dimensions", (subject(dimensions={"d": "x" * 257}),)),
    "RT-INPUT-027": ("dimensions", (subject(dimensions={"d": 1}), subject(dimensions=["d"]))),
    "RT-INPUT-028": ("user", (subject(user="me"),)),
    "RT-INPUT-029": ("action", (changed(action=ABSENT), changed(action="send"))),
    "RT-INPUT-030": ("kind", (action(kind=""), action(kind="k" * 65), action(kind=1))),
    "RT-INPUT-031": ("name", (action(name=""), action(name="n" * 257), action(name=None))),
    "RT-INPUT-032": (
        "tags",
        (action(tags=["t"] * 11), action(tags=["t" * 65]), action(tags="t"), action(tags=[1])),
    ),
    "RT-INPUT-033": ("cost", (action(cost=1),)),
    "RT-INPUT-034": ("ttl_ms", (changed(ttl_ms=999), changed(ttl_ms=0), changed(ttl_ms=-1))),
    "RT-INPUT-035": ("ttl_ms", (changed(ttl_ms=86_400_001), changed(ttl_ms=2**63))),
    "RT-INPUT-036": (
        "ttl_ms",
        (changed(ttl_ms="60000"), changed(ttl_ms=1_000.5), changed(ttl_ms=True)),
    ),
    "RT-INPUT-037": (
        "grace_period_ms",
        (changed(grace_period_ms=-1), changed(grace_period_ms=60_001)),
    ),
    "RT-INPUT-038": (
        "overage_policy",
        (changed(overage_policy="MAYBE"), changed(overage_policy=1)),
    ),
    "RT-INPUT-039": ("dry_run", (changed(dry_run="yes"), changed(dry_run=1))),
    "RT-INPUT-040": ("metadata", (changed(metadata="text"), changed(metadata=[1]))),
    "RT-INPUT-041": ("budget", (changed(budget=1),)),
    "RT-INPUT-042": ("currency", (changed(estimate={**tokens(1), "currency": "EUR"}),)),
    "RT-INPUT-043": ("estimate", (twice("estimate", '{"unit": "TOKENS", "amount": 2}'),)),
}


def _covers(requirement: str, bodies: tuple[Body, ...]) -> None:
    @check(requirement)
    async def refuses(stand: Stand) -> None:
        before = await stand.ledger()
        for body in bodies:
            refused(await _posted(stand, RESERVE, body), 400, "INVALID_REQUEST")
        same(await stand.ledger(), before, "the ledger after what was refused")


for _requirement, (_field, _bodies) in WRONG.items():
    _covers(_requirement, _bodies)


async def _posted(stand: Stand, path: str, body: Body) -> Answer:
    return await stand.caller.ask("POST", path, content=body(stand))


@check("RT-INPUT-050")
async def a_refusal_names_the_field(stand: Stand) -> None:
    for field, bodies in WRONG.values():
        for body in bodies:
            answer = await _posted(stand, RESERVE, body)
            text = f"{answer.get('message')} {json.dumps(answer.get('details') or {})}"
            expect(field in text, f"the refusal does not name {field}: {text}")


@check("RT-INPUT-051")
async def a_decision_reads_as_strictly(stand: Stand) -> None:
    for requirement in ("RT-INPUT-001", "RT-INPUT-006", "RT-INPUT-009", "RT-INPUT-041"):
        for body in WRONG[requirement][1]:
            refused(await _posted(stand, "/v1/decide", body), 400, "INVALID_REQUEST")
    refused(await stand.decide(1, ttl_ms=1_000), 400, "INVALID_REQUEST")


@check("RT-INPUT-052")
async def an_event_reads_as_strictly(stand: Stand) -> None:
    before = await stand.ledger()
    wrong: dict[str, Any]
    for wrong in (
        {"actual": tokens(-1)},
        {"actual": tokens(1.5)},
        {"actual": tokens(2**63)},
        {"actual": ABSENT},
        {"estimate": tokens(1)},
        {"ttl_ms": 1_000},
        {"client_time_ms": -1},
        {"client_time_ms": "now"},
        {"overage_policy": "MAYBE"},
        {"metrics": {"tokens": 1}},
        {"idempotency_key": ""},
    ):
        refused(await stand.record(1, **wrong), 400, "INVALID_REQUEST")
    same(await stand.ledger(), before, "the ledger after what was refused")


@check("RT-INPUT-053")
async def a_commit_reads_as_strictly(stand: Stand) -> None:
    reservation = await stand.held(100)
    before = await stand.ledger()
    wrong: dict[str, Any]
    for wrong in (
        {"actual": tokens(-1)},
        {"actual": tokens(1.5)},
        {"actual": tokens(2**63)},
        {"actual": tokens("1")},
        {"actual": ABSENT},
        {"actual": {**tokens(1), "note": ""}},
        {"metrics": {"tokens_input": -1}},
        {"metrics": {"tokens_output": 1.5}},
        {"metrics": {"model_version": "m" * 129}},
        {"metrics": {"tokens": 1}},
        {"metadata": "text"},
        {"reason": "extra"},
        {"idempotency_key": "k" * 257},
        {"idempotency_key": ABSENT},
    ):
        refused(await stand.commit(reservation, 1, **wrong), 400, "INVALID_REQUEST")
    same(await stand.ledger(), before, "the ledger after what was refused")
    done(await stand.commit(reservation, 1))


@check("RT-INPUT-054")
async def a_release_reads_as_strictly(stand: Stand) -> None:
    reservation = await stand.held(100)
    wrong: dict[str, Any]
    for wrong in (
        {"reason": "r" * 257},
        {"reason": 5},
        {"metadata": {}},
        {"idempotency_key": ""},
        {"idempotency_key": ABSENT},
    ):
        refused(await stand.release(reservation, **wrong), 400, "INVALID_REQUEST")
    await stand.shows(remaining=900, reserved=100)
    done(await stand.release(reservation))


@check("RT-INPUT-055")
async def an_extension_reads_as_strictly(stand: Stand) -> None:
    reservation = await stand.held(100)
    wrong: dict[str, Any]
    for wrong in (
        {"extend_by_ms": 0},
        {"extend_by_ms": -1},
        {"extend_by_ms": 86_400_001},
        {"extend_by_ms": 1.5},
        {"extend_by_ms": "1000"},
        {"extend_by_ms": ABSENT},
        {"ttl_ms": 1_000},
        {"idempotency_key": ABSENT},
    ):
        refused(await stand.extend(reservation, **wrong), 400, "INVALID_REQUEST")
    done(await stand.extend(reservation))


@check("RT-INPUT-056")
async def a_long_id_in_the_path_is_400(stand: Stand) -> None:
    for answer in (
        await stand.commit(_LONG, 1),
        await stand.release(_LONG),
        await stand.extend(_LONG),
    ):
        refused(answer, 400, "INVALID_REQUEST")


@check("RT-INPUT-057")
async def numbers_are_never_rounded(stand: Stand) -> None:
    for number in (2**53 + 1, INT64_MAX):
        answer = await stand.reserve(number, idempotency_key=fresh())
        refused(answer, 409, "BUDGET_EXCEEDED")
    reservation = await stand.held(1, metadata={"n": 2**53 + 1})
    same(done(await stand.row(reservation))["metadata"]["n"], 2**53 + 1, "metadata.n")

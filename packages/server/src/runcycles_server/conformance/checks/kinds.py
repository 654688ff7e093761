"""The registry of action kinds, and what becomes of kinds that are not in it."""

from typing import Final

from runcycles_server.conformance.client import Answer
from runcycles_server.conformance.expecting import done, expect, refused, same
from runcycles_server.conformance.registry import Topic
from runcycles_server.conformance.setups import POOR
from runcycles_server.conformance.stand import Stand

topic = Topic()
check = topic.check

PATH: Final = "/v1/action-kinds"
BUILT_IN: Final = 62
CLASSES: Final = {
    "llm.completion": "side_effect",
    "web.search": "read_only",
    "file.write": "local_mutation",
    "message.email.send": "external_side_effect",
    "payment.charge": "high_risk",
    "unknown.call": "side_effect",
}


async def _public(stand: Stand, path: str = PATH, **query: str) -> Answer:
    return await stand.caller.without_keys().ask("GET", path, query=query or None)


def action(kind: str, **members: object) -> dict[str, object]:
    """An action of this kind."""
    return {"kind": kind, "name": "conformance", **members}


@check("EX-KIND-001", POOR)
async def everybody_may_read_the_registry(stand: Stand) -> None:
    answer = done(await _public(stand, limit="100"))
    kinds = {row["kind"]: row["risk_class"] for row in answer["kinds"]}
    expect(len(kinds) >= BUILT_IN, f"the registry has {len(kinds)} of {BUILT_IN} kinds")
    same({kind: kinds.get(kind) for kind in CLASSES}, CLASSES, "risk classes")
    expect(bool(answer["version"]), "the registry has no version")


@check("EX-KIND-002", POOR)
async def pages_show_each_kind_once(stand: Stand) -> None:
    first = done(await _public(stand, limit="40"))
    rest = done(await _public(stand, limit="100", cursor=str(first["next_cursor"])))
    found = [row["kind"] for page in (first, rest) for row in page["kinds"]]
    same(len(set(found)), len(found), "different kinds on both pages")
    expect(len(found) >= BUILT_IN, "the pages lack a kind")


@check("EX-KIND-003", POOR)
async def it_is_filtered_by_risk(stand: Stand) -> None:
    rows = done(await _public(stand, risk_class="high_risk", limit="100"))["kinds"]
    same({row["risk_class"] for row in rows}, {"high_risk"}, "risk classes of the rows")
    refused(await _public(stand, risk_class="dangerous"), 400, "INVALID_REQUEST")


@check("EX-KIND-004", POOR)
async def one_kind_is_found_by_its_name(stand: Stand) -> None:
    found = done(await _public(stand, f"{PATH}/payment.charge"))
    same((found["kind"], found["risk_class"]), ("payment.charge", "high_risk"), "kind")
    refused(await _public(stand, f"{PATH}/payment"), 404, "NOT_FOUND")
    refused(await _public(stand, f"{PATH}/Payment.Charge"), 404, "NOT_FOUND")


@check("EX-KIND-005", POOR)
async def it_is_not_sent_twice(stand: Stand) -> None:
    first = done(await _public(stand))
    tag = first.headers.get("etag", "")
    expect(bool(tag), "there is no ETag")
    again = await stand.caller.without_keys().ask("GET", PATH, headers={"If-None-Match": tag})
    same((again.status, again.content), (304, b""), "status and body")


@check("EX-KIND-006")
async def an_unregistered_kind_is_accepted(stand: Stand) -> None:
    await stand.held(1, action=action("email.send.fast"))


@check("EX-KIND-007")
async def an_undeclared_custom_kind_is_refused(stand: Stand) -> None:
    undeclared = action("custom.nobody.declared")
    refused(await stand.reserve(1, action=undeclared), 400, "INVALID_REQUEST")
    refused(await stand.decide(1, action=undeclared), 400, "INVALID_REQUEST")
    await stand.shows(remaining=1_000)


@check("EX-KIND-008")
async def policy_keys_are_accepted(stand: Stand) -> None:
    keys = {
        "host": "h" * 253,
        "recipient_domain": "example.com",
        "resource_type": "t" * 128,
        "path_prefix": "/" * 512,
        "custom": {f"c{number}": "x" * 256 for number in range(8)},
    }
    await stand.held(1, action=action("http.post", policy_keys=keys))
    await stand.held(1, action=action("http.post", policy_keys={}))


@check("EX-KIND-009")
async def policy_keys_have_their_limits(stand: Stand) -> None:
    for wrong in (
        {"host": "h" * 254},
        {"recipient_domain": 5},
        {"resource_type": "t" * 129},
        {"path_prefix": "/" * 513},
        {"custom": {f"c{number}": "" for number in range(9)}},
        {"custom": {"c": "x" * 257}},
        {"port": 443},
    ):
        answer = await stand.reserve(1, action=action("http.post", policy_keys=wrong))
        refused(answer, 400, "INVALID_REQUEST")
    await stand.shows(remaining=1_000)

"""releaseReservation and extendReservation."""

from runcycles_server.conformance.expecting import done, expect, refused, same
from runcycles_server.conformance.registry import Topic
from runcycles_server.conformance.setups import Budget, Setup, budgets
from runcycles_server.conformance.stand import Stand, tokens

topic = Topic()
check = topic.check

ROOT_AND_AGENT = budgets(Budget(), Budget(scope="agent:a", allocated=50))


@check("RT-RELEASE-001")
async def gives_the_whole_estimate_back(stand: Stand) -> None:
    answer = done(await stand.release(await stand.held(100)))
    same(answer["status"], "RELEASED", "status")
    same(answer["released"], tokens(100), "released")
    await stand.shows(remaining=1_000, reserved=0, spent=0)


@check("RT-RELEASE-002", ROOT_AND_AGENT)
async def gives_back_in_every_scope(stand: Stand) -> None:
    done(await stand.release(await stand.held(30, subject=stand.subject(agent="a"))))
    await stand.shows(remaining=1_000, reserved=0)
    await stand.shows("agent:a", remaining=50, reserved=0)


@check("RT-RELEASE-003")
async def a_committed_one_is_finalized(stand: Stand) -> None:
    reservation = await stand.held(100)
    done(await stand.commit(reservation, 60))
    refused(await stand.release(reservation), 409, "RESERVATION_FINALIZED")
    await stand.shows(remaining=940, reserved=0, spent=60)


@check("RT-RELEASE-004")
async def a_released_one_is_finalized(stand: Stand) -> None:
    reservation = await stand.held(100)
    done(await stand.release(reservation))
    refused(await stand.release(reservation), 409, "RESERVATION_FINALIZED")
    await stand.shows(remaining=1_000, reserved=0)


@check("RT-RELEASE-005")
async def an_unknown_one_is_not_released(stand: Stand) -> None:
    refused(await stand.release("never-was"), 404, "NOT_FOUND")


@check("RT-RELEASE-006")
async def a_reason_may_be_given(stand: Stand) -> None:
    done(await stand.release(await stand.held(1), reason="r" * 256))
    done(await stand.release(await stand.held(1), reason=""))


@check("RT-EXTEND-001")
async def an_extended_one_stays_active(stand: Stand) -> None:
    reservation = await stand.held(100, ttl_ms=10_000)
    answer = done(await stand.extend(reservation, 5_000))
    same(answer["status"], "ACTIVE", "status")
    row = done(await stand.row(reservation))
    same(row["expires_at_ms"], answer["expires_at_ms"], "expires_at_ms of the row")


@check("RT-EXTEND-002")
async def it_is_longer_by_what_was_asked(stand: Stand) -> None:
    first = done(await stand.reserve(1, ttl_ms=10_000))
    reservation = str(first["reservation_id"])
    for times in (1, 2):
        answer = done(await stand.extend(reservation, 5_000))
        grown = answer["expires_at_ms"] - first["expires_at_ms"]
        same(grown, 5_000 * times, f"growth of expires_at_ms after {times} × 5000 ms")


@check("RT-EXTEND-003")
async def nothing_else_changes(stand: Stand) -> None:
    reservation = await stand.held(100)
    before = done(await stand.row(reservation)).json
    done(await stand.extend(reservation, 5_000))
    after = done(await stand.row(reservation)).json
    changed = {name for name in before | after if before.get(name) != after.get(name)}
    same(changed, {"expires_at_ms"}, "members that changed")
    await stand.shows(remaining=900, reserved=100)


@check("RT-EXTEND-004")
async def a_finished_one_is_not_extended(stand: Stand) -> None:
    committed, released = await stand.held(1), await stand.held(1)
    done(await stand.commit(committed, 1))
    done(await stand.release(released))
    for reservation in (committed, released):
        refused(await stand.extend(reservation), 409, "RESERVATION_FINALIZED")


@check("RT-EXTEND-005", Setup(settings={"max_reservation_extensions": 2}))
async def the_tenants_number_of_extensions_counts(stand: Stand) -> None:
    reservation = await stand.held(1)
    done(await stand.extend(reservation))
    done(await stand.extend(reservation))
    refused(await stand.extend(reservation), 409, "MAX_EXTENSIONS_EXCEEDED")


@check("RT-EXTEND-006", Setup(settings={"max_reservation_extensions": 0}))
async def none_forbids_extending(stand: Stand) -> None:
    refused(await stand.extend(await stand.held(1)), 409, "MAX_EXTENSIONS_EXCEEDED")


@check("RT-EXTEND-007")
async def an_unknown_one_is_not_extended(stand: Stand) -> None:
    refused(await stand.extend("never-was"), 404, "NOT_FOUND")


@check("RT-EXTEND-008")
async def says_how_long_it_lives(stand: Stand) -> None:
    answer = done(await stand.extend(await stand.held(1, ttl_ms=10_000), 5_000))
    left = answer["remaining_ttl_ms"]
    expect(0 < left <= 15_000, f"remaining_ttl_ms after 10000 + 5000 ms is {left}")

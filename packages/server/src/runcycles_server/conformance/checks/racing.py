"""Many at once: nothing is sold twice, and everybody gets an answer."""

from collections import Counter
from collections.abc import Awaitable, Sequence

import anyio

from runcycles_server.conformance.client import Answer
from runcycles_server.conformance.expecting import done, expect, same, told
from runcycles_server.conformance.registry import Topic
from runcycles_server.conformance.setups import Budget, budgets
from runcycles_server.conformance.stand import Stand, fresh

topic = Topic()
check = topic.check

MANY = 40
TIGHT = budgets(Budget(allocated=100))
SHARED = budgets(
    Budget(allocated=100),
    *(Budget(scope=f"agent:a{number}", allocated=100) for number in range(4)),
)
CROSSED = budgets(
    Budget(),
    Budget(scope="app:x"),
    Budget(scope="agent:y"),
    Budget(scope="app:x/agent:y"),
    Budget(scope="workspace:w"),
    Budget(scope="workspace:w/agent:y"),
)


async def together(*asked: Awaitable[Answer]) -> list[Answer]:
    """All of them at the same time."""
    answers: list[Answer] = []

    async def ask(one: Awaitable[Answer]) -> None:
        answers.append(await one)

    async with anyio.create_task_group() as group:
        for one in asked:
            group.start_soon(ask, one)
    return answers


def _tally(answers: Sequence[Answer], **wanted: int) -> None:
    found = Counter(told(answer) for answer in answers)
    same(dict(found), {name.replace("_", " ", 1): n for name, n in wanted.items()}, "answers")


@check("RT-RACE-001", TIGHT)
async def a_budget_is_never_oversold(stand: Stand) -> None:
    answers = await together(*(stand.reserve(10) for _ in range(MANY)))
    granted = sum(answer.status == 200 for answer in answers)
    same(granted, 10, f"of {MANY} reservations of 10 from a budget of 100, granted")
    await stand.shows(remaining=0, reserved=100)


@check("RT-RACE-002", SHARED)
async def a_shared_parent_is_never_oversold(stand: Stand) -> None:
    subjects = [stand.subject(agent=f"a{number % 4}") for number in range(MANY)]
    answers = await together(*(stand.reserve(10, subject=each) for each in subjects))
    granted = sum(answer.status == 200 for answer in answers)
    same(granted, 10, "granted of a parent of 100 that four children share")
    await stand.shows(remaining=0, reserved=100)
    held = [(await stand.balance(f"agent:a{number}"))["remaining"]["amount"] for number in range(4)]
    same(sum(100 - left for left in held), 100, "held by the children together")


@check("RT-RACE-003")
async def one_key_at_once_is_one_reservation(stand: Stand) -> None:
    body = stand.question(100)
    answers = await together(*(stand.post("/v1/reservations", body) for _ in range(MANY)))
    ids = {done(answer)["reservation_id"] for answer in answers}
    same(len(ids), 1, f"reservations from one key asked {MANY} times at once")
    await stand.shows(remaining=900, reserved=100)


@check("RT-RACE-004")
async def commit_and_release_have_one_winner(stand: Stand) -> None:
    for _ in range(5):
        before = (await stand.balance())["remaining"]["amount"]
        reservation = await stand.held(10)
        answers = await together(stand.commit(reservation, 10), stand.release(reservation))
        _one_winner(answers)
        won = next(answer for answer in answers if answer.status == 200)
        left = before - (10 if won["status"] == "COMMITTED" else 0)
        await stand.shows(remaining=left, reserved=0)


@check("RT-RACE-005")
async def commits_have_one_winner(stand: Stand) -> None:
    reservation = await stand.held(100)
    _one_winner(await together(*(stand.commit(reservation, 10 + n) for n in range(10))))
    row = await stand.balance()
    expect(row["remaining"]["amount"] in range(980, 991), "more than one commit was charged")


@check("RT-RACE-006")
async def one_commit_at_once_is_charged_once(stand: Stand) -> None:
    reservation, key = await stand.held(100), fresh()
    asked = (stand.commit(reservation, 60, idempotency_key=key) for _ in range(20))
    for answer in await together(*asked):
        same(done(answer)["charged"]["amount"], 60, "charged")
    await stand.shows(remaining=940, reserved=0, spent=60)


@check("RT-RACE-007")
async def events_add_up(stand: Stand) -> None:
    for answer in await together(*(stand.record(7) for _ in range(MANY))):
        done(answer, 201)
    await stand.shows(remaining=1_000 - 7 * MANY, spent=7 * MANY)


@check("RT-RACE-008", TIGHT)
async def events_under_reject_are_never_oversold(stand: Stand) -> None:
    answers = await together(*(stand.record(9, overage_policy="REJECT") for _ in range(MANY)))
    _tally(answers, **{"201": 11, "409_BUDGET_EXCEEDED": MANY - 11})
    await stand.shows(remaining=1, spent=99)


@check("RT-RACE-009", CROSSED)
async def crossed_scopes_do_not_stand_in_each_others_way(stand: Stand) -> None:
    subjects = [
        stand.subject(app="x", agent="y"),
        stand.subject(agent="y"),
        stand.subject(workspace="w", agent="y"),
        stand.subject(app="x"),
    ]
    asked = (stand.reserve(1, subject=subjects[number % 4]) for number in range(MANY))
    for answer in await together(*asked):
        done(answer)
    await stand.shows(remaining=1_000 - MANY, reserved=MANY)
    await stand.shows("app:x", remaining=1_000 - MANY // 2)


@check("RT-RACE-010")
async def a_round_of_everything_comes_out_even(stand: Stand) -> None:
    async def one_round(number: int) -> Answer:
        reservation = await stand.held(10)
        if number % 2:
            return await stand.release(reservation)
        return await stand.commit(reservation, 5)

    for answer in await together(*(one_round(number) for number in range(MANY))):
        done(answer)
    await stand.shows(remaining=1_000 - 5 * MANY // 2, reserved=0, spent=5 * MANY // 2)


def _one_winner(answers: Sequence[Answer]) -> None:
    _tally(answers, **{"200": 1, "409_RESERVATION_FINALIZED": len(answers) - 1})

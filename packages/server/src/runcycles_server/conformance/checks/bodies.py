"""Every answer of the run is held against the shapes: nothing more, nothing less, no null."""

import re
from collections.abc import Callable, Iterator
from typing import Any, Final

from runcycles_server.conformance.client import Answer, ViolationError
from runcycles_server.conformance.registry import Topic
from runcycles_server.conformance.shapes import SHAPES, Shape

topic = Topic()
watch = topic.watch

RUNTIME: Final = [(method, re.compile(path)) for method, path, _, _ in SHAPES.values()]


def is_of_the_runtime(answer: Answer) -> bool:
    """Whether an operation of the runtime was asked."""
    return any(answer.method == method and path.fullmatch(answer.path) for method, path in RUNTIME)


def _looks(method: str, path: str, status: int, shape: Shape) -> Callable[[Answer], Any]:
    wanted = re.compile(path)

    def look(answer: Answer) -> Iterator[str] | None:
        if answer.method != method or not wanted.fullmatch(answer.path):
            return None
        if answer.status >= 300:
            return None
        if answer.status != status:
            return iter([f"success is answered with {answer.status} instead of {status}"])
        return shape.faults(answer.json)

    return look


for _requirement, _row in SHAPES.items():
    watch(_requirement)(_looks(*_row))


@watch("RT-SHAPE-010")
def no_member_is_null(answer: Answer) -> list[str] | None:
    if not is_of_the_runtime(answer) or answer.status >= 300:
        return None
    return [f"{where} is null" for where in _nulls(answer.json)]


def _nulls(value: Any, where: str = "the body") -> Iterator[str]:
    if value is None:
        yield where
    elif isinstance(value, dict):
        for name, member in value.items():
            if name not in ("metadata", "committed_metadata"):  # what clients put there is theirs
                yield from _nulls(member, name)
    elif isinstance(value, list):
        for item in value:
            yield from _nulls(item, where)


@watch("RT-SHAPE-011")
def a_balance_adds_up(answer: Answer) -> Iterator[str] | None:
    rows = _balances(answer)
    return None if rows is None else (fault for row in rows for fault in _sum_faults(row))


def _balances(answer: Answer) -> list[dict[str, Any]] | None:
    if not is_of_the_runtime(answer) or answer.status >= 300:
        return None
    try:
        found = answer.get("balances")
    except ViolationError:
        return None
    return found if isinstance(found, list) and found else None


def _sum_faults(row: dict[str, Any]) -> Iterator[str]:
    amounts = {name: value for name, value in row.items() if isinstance(value, dict)}
    if len({value.get("unit") for value in amounts.values()}) != 1:
        yield f"the amounts of {row.get('scope_path')} have different units"
    if {"allocated", "spent", "reserved"} <= amounts.keys():
        used = sum(amounts[name]["amount"] for name in ("spent", "reserved"))
        debt = amounts.get("debt", {"amount": 0})["amount"]
        left = amounts["allocated"]["amount"] - used - debt
        if amounts["remaining"]["amount"] != left:
            yield (
                f"remaining of {row.get('scope_path')} is {amounts['remaining']['amount']}; "
                f"allocated − spent − reserved − debt is {left}"
            )


@watch("RT-SHAPE-012")
def caps_and_reasons_stand_where_they_belong(answer: Answer) -> list[str] | None:
    if answer.status >= 300 or answer.method != "POST" or "decision" not in answer:
        return None
    decision, faults = answer["decision"], []
    if ("caps" in answer) != (decision == "ALLOW_WITH_CAPS"):
        faults.append(f"caps and the decision {decision} do not go together")
    if decision != "DENY" and "reason_code" in answer:
        faults.append(f"the decision {decision} has a reason_code")
    return faults


@watch("RT-SHAPE-013")
def bodies_say_that_they_are_json(answer: Answer) -> list[str] | None:
    if not answer.content:
        return None
    found = answer.headers.get("content-type", "")
    is_json = found.partition(";")[0].strip().lower() == "application/json"
    return [] if is_json else [f"Content-Type is {found!r}"]

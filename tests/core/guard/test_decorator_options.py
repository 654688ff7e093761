from typing import Any

import pytest

from runcycles import (
    ConfigurationError,
    CyclesClient,
    CyclesConfig,
    PolicyKeys,
    Subject,
    cycles,
    default_client,
    set_default_client,
    tokens,
)
from runcycles.ops import Reserve
from tests.core.guard.lines import Line
from tests.core.unreliable import LOST_QUESTION


def reserved(line: Line) -> Reserve:
    [reserve] = line.unreliable.questions(Reserve)
    return reserve


# ── what a call is called, and who makes it ──────────────────────────────────────────────────────


def test_a_call_that_says_nothing_is_named_after_its_function(line: Line) -> None:
    @cycles(estimate=tokens(1))
    def answer() -> None:
        pass

    answer()
    action = reserved(line).action
    assert action.kind == "unknown.call"
    assert action.name.endswith(".answer")


def test_everything_may_depend_on_the_arguments(line: Line) -> None:
    @cycles(
        estimate=lambda prompt, **_: tokens(len(prompt)),
        action_kind=lambda *_, model: f"llm.{model}",
        action_name=lambda *_, model: model,
        action_tags=lambda *_, model: [model],
        policy_keys=lambda *_, model: PolicyKeys(host=f"{model}.example.com"),
        agent=lambda prompt, **_: prompt,
        dimensions=lambda prompt, **_: {"prompt": prompt},
        metadata=lambda prompt, **_: {"length": len(prompt)},
    )
    def answer(prompt: str, *, model: str) -> str:
        return prompt + model

    answer("abc", model="mini")
    reserve = reserved(line)
    assert reserve.estimate == tokens(3)
    assert (reserve.action.kind, reserve.action.name) == ("llm.mini", "mini")
    assert reserve.action.tags == ("mini",)
    assert reserve.action.policy_keys == PolicyKeys(host="mini.example.com")
    assert reserve.subject == Subject(tenant="acme", agent="abc", dimensions={"prompt": "abc"})
    assert reserve.metadata == {"length": 3}


def test_an_argument_that_says_nothing_leaves_the_default(line: Line) -> None:
    @cycles(
        estimate=tokens(1),
        action_kind=lambda: None,
        action_name=lambda: None,
        agent=lambda: None,
        action_tags=lambda: None,
    )
    def answer() -> None:
        pass

    answer()
    reserve = reserved(line)
    assert reserve.action.kind == "unknown.call"
    assert reserve.action.name.endswith(".answer")
    assert reserve.action.tags is None
    assert reserve.subject == Subject(tenant="acme")


def test_the_levels_say_who_spends(line: Line) -> None:
    @cycles(estimate=tokens(1), app="crm", agent="writer", dimensions={"team": "red"})
    def answer() -> None:
        pass

    answer()
    assert reserved(line).subject == Subject(
        tenant="acme", app="crm", agent="writer", dimensions={"team": "red"}
    )


def test_an_estimate_that_fails_stops_the_call_before_anything_is_asked(line: Line) -> None:
    @cycles(estimate=lambda text: tokens(len(text)))
    def answer(text: Any) -> None:
        pytest.fail("it ran")

    with pytest.raises(TypeError):
        answer(7)
    assert line.asked() == []


# ── which client ─────────────────────────────────────────────────────────────────────────────────


def test_the_client_is_looked_up_at_each_call(line: Line) -> None:
    @cycles(estimate=tokens(10))
    def answer() -> None:
        pass

    answer()
    other = Line()
    set_default_client(other.client)
    answer()
    assert (line.spent, other.spent) == (10, 10)


def test_a_client_of_ones_own_comes_before_the_default(line: Line) -> None:
    other = Line()

    @cycles(estimate=tokens(10), client=other.client)
    def answer() -> None:
        pass

    answer()
    assert (line.spent, other.spent) == (0, 10)


def test_without_a_client_a_call_says_what_to_do_and_does_not_run() -> None:
    @cycles(estimate=tokens(10))
    def answer() -> None:
        pytest.fail("it ran")

    with pytest.raises(ConfigurationError, match="set_default_client"):
        answer()


def test_the_default_client_is_the_one_that_was_set(line: Line) -> None:
    assert default_client() is line.client


def test_the_first_lines_of_the_documentation_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CYCLES_BASE_URL", "http://localhost:7878")
    monkeypatch.setenv("CYCLES_API_KEY", "cyc_live_1")
    set_default_client(CyclesClient(CyclesConfig.from_env()))

    @cycles(estimate=1000, action_kind="llm.completion", action_name="gpt-4")
    def summarize(text: str) -> str:
        return text

    assert summarize.__name__ == "summarize"
    set_default_client(None)


# ── options ──────────────────────────────────────────────────────────────────────────────────────


def test_without_brackets_it_says_how_it_is_written() -> None:
    with pytest.raises(TypeError, match=r"write @cycles\(estimate=\.\.\.\)"):

        @cycles  # type: ignore[call-overload]  # this is the mistake
        def answer() -> None:
            pass


@pytest.mark.parametrize("arguments", [(), (1, 2)])
def test_without_an_estimate_it_says_how_it_is_written(arguments: tuple[int, ...]) -> None:
    with pytest.raises(TypeError, match="write @cycles"):
        cycles(*arguments)


def test_an_estimate_may_stand_alone(line: Line) -> None:
    @cycles(tokens(10))
    def answer() -> None:
        pass

    answer()
    assert line.spent == 10


@pytest.mark.parametrize(
    "options",
    [
        {"estimate": -1},
        {"estimate": "1000"},
        {"estimate": 1, "ttl_ms": 1},
        {"estimate": 1, "grace_period_ms": -1},
        {"estimate": 1, "on_error": "forget"},
        {"estimate": 1, "actual": -1},
        {"estimate": 1, "actual": tokens(1)},
        {"estimate": lambda: 1, "ttl_ms": 1},
    ],
)
def test_a_wrong_option_is_found_at_decoration(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):

        @cycles(**options)
        def answer() -> None:
            pass


def test_an_unknown_option_is_named() -> None:
    with pytest.raises(TypeError, match="no option budget"):
        cycles(estimate=1, budget=7)  # type: ignore[call-overload]  # this is the mistake


@pytest.mark.parametrize("outer", [staticmethod, classmethod])
def test_the_order_of_decorators_is_explained(outer: Any) -> None:
    with pytest.raises(TypeError, match=f"below @{outer.__name__}"):
        cycles(estimate=1)(outer(lambda: None))


def test_what_cannot_be_called_cannot_be_guarded() -> None:
    with pytest.raises(TypeError, match="cannot be called"):
        cycles(estimate=1)("text")  # type: ignore[arg-type]  # this is the mistake


def test_an_unreachable_authority_stops_the_call() -> None:
    line = Line({Reserve: [LOST_QUESTION] * 2})

    @cycles(estimate=tokens(10), client=line.client)
    def answer() -> None:
        pytest.fail("it ran")

    with pytest.raises(Exception, match="the line is dead"):
        answer()

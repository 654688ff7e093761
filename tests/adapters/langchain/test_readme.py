"""The README keeps its word: its example runs, its tables are complete, each claim has its test."""

import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from langchain.agents import create_agent

from runcycles import BudgetExceededError
from runcycles.calls import CallGuards
from runcycles_langchain import (
    CyclesCallbackHandler,
    CyclesMiddleware,
    guard_model,
    guard_tools,
)
from tests.adapters.examples import PATIENCE, run_example
from tests.adapters.langchain import test_callbacks as callbacks
from tests.adapters.langchain import test_capabilities as capabilities
from tests.adapters.langchain import test_charges as charges
from tests.adapters.langchain import test_matrix as matrix
from tests.adapters.langchain import test_models as models
from tests.adapters.langchain import test_refusals as refusals
from tests.adapters.langchain import test_shadow as shadow
from tests.adapters.langchain import test_tools as tools
from tests.adapters.langchain.stage import NOTHING, calls, stage
from tests.repo.tree import ROOT

PACKAGE = ROOT / "packages" / "langchain"
EXAMPLE = PACKAGE / "examples" / "refused.py"
README = (PACKAGE / "README.md").read_text(encoding="utf-8")
WITHIN_S = 60

CAPABILITIES = {
    "A model: `invoke`, `batch`, `stream`, `generate`, sync and async": [
        matrix.test_a_denied_call_never_happens,
        models.test_a_refused_call_reaches_no_model,
        models.test_a_refused_async_call_reaches_no_model,
        callbacks.test_it_refuses_a_sync_call_before_it_is_made,
        callbacks.test_it_refuses_an_async_call_before_it_is_made,
    ],
    "A model's streams of events: `stream_events`, `astream_events`": [
        charges.test_streams_of_events_are_charged_by_their_usage,
        models.test_a_providers_own_events_are_asked_for_too,
        callbacks.test_it_refuses_streams_of_events,
    ],
    "A tool, sync and async": [
        matrix.test_a_denied_call_never_happens,
        tools.test_a_refused_tool_does_not_run_sync_or_async,
        tools.test_a_refused_tool_does_not_run_when_it_is_awaited,
        callbacks.test_it_refuses_a_tool_before_it_runs,
    ],
    "An agent behind a tool, or one that takes over": [
        matrix.test_a_denied_call_never_happens,
        capabilities.test_an_agent_behind_a_tool_is_seen_by_callbacks_but_needs_middleware_of_its_own,
    ],
    "A model inside other middleware, such as a summarizer's": [
        refusals.test_the_guarded_model_of_a_summarizer_asks_before_each_of_its_attempts,
        capabilities.test_the_model_of_a_summarizer_is_seen_by_callbacks_but_not_by_middleware,
    ],
    "A model that other middleware puts in place": [
        capabilities.test_middleware_guards_the_model_in_place_where_it_comes_last,
    ],
    "Another attempt by LangChain: `with_retry`, retry middleware": [
        capabilities.test_each_attempt_of_langchains_own_retries_is_asked_for,
    ],
    "Another attempt by the provider's client (`max_retries`)": [
        capabilities.test_attempts_of_the_providers_client_below_cannot_be_seen,
    ],
    "A refusal under retry and fallback middleware, `RetryPolicy`, "
    "`ToolNode(handle_tool_errors=True)`": [
        refusals.test_retries_and_fallbacks_around_a_model_let_a_refusal_through,
        refusals.test_so_they_do_around_our_middleware_and_our_callbacks,
        refusals.test_retries_around_a_tool_let_a_refusal_through,
        refusals.test_a_node_that_handles_all_errors_of_tools_does_not_handle_a_refusal,
        refusals.test_a_retry_policy_of_a_node_does_not_try_again_after_a_refusal,
    ],
    "A refusal under `with_fallbacks`": [
        capabilities.test_a_fallback_is_refused_only_where_it_asks,
    ],
    "The length of an answer: `max_tokens`, caps": [
        models.test_the_output_limit_is_set_on_the_request,
        models.test_the_caps_of_a_permission_limit_the_answer,
        callbacks.test_a_call_whose_limit_it_cannot_set_is_asked_for_with_the_default_one,
    ],
    "An answer from LangChain's cache": [
        charges.test_a_hit_of_the_cache_asks_nobody,
        callbacks.test_a_hit_of_the_cache_costs_nothing,
    ],
    "A call in a raw thread": [
        capabilities.test_in_a_raw_thread_a_guarded_model_asks_and_callbacks_see_nothing,
    ],
    "A sync call on an event loop": [
        capabilities.test_a_sync_call_on_an_event_loop_is_refused_like_any_other,
    ],
    "A cancelled call outside of any chain or agent": [
        charges.test_a_cancelled_call_is_charged_its_estimate,
        callbacks.test_of_a_cancelled_call_outside_of_any_run_langchain_tells_no_end,
    ],
    "A text model (`BaseLLM`)": [
        models.test_what_is_no_client_and_what_is_no_model_are_said,
        callbacks.test_text_models_are_asked_for_and_charged_their_estimate,
    ],
    "Hosted tools, run by the provider": [
        capabilities.test_a_tool_that_the_provider_runs_is_part_of_its_models_call,
        tools.test_a_tool_that_the_provider_runs_cannot_be_guarded,
    ],
    "Conversations that the provider stores": [
        capabilities.test_what_the_provider_remembers_is_charged_beyond_the_estimate,
    ],
}

BEHAVIOURS = {
    "a tool is not mapped": (
        tools.test_a_tool_that_nobody_has_mapped_is_an_unknown_call_of_no_cost
    ),
    "nobody knows the model's price": models.test_a_model_whose_price_nobody_knows_is_refused,
    "an agent has no name": models.test_agent_and_run_are_named_by_the_metadata_of_a_run,
    "a tool raises": tools.test_a_tool_that_raises_is_charged_for_it_may_have_acted,
    "a tool waits for a person (`interrupt`)": (
        tools.test_a_tool_that_waits_for_a_person_is_charged_once_when_it_goes_on
    ),
    "a model does not tell its usage": (
        charges.test_an_answer_without_usage_is_charged_its_estimate
    ),
    "a model's class has no output limit": (
        models.test_a_model_without_an_output_limit_is_asked_for_with_the_default_one
    ),
    "the model answers with an error status, or cannot be reached": (
        charges.test_what_the_provider_refused_costs_nothing
    ),
    "its answer cannot be read, or the call is cancelled": (
        charges.test_an_answer_that_cannot_be_read_is_charged_its_estimate
    ),
    "a stream is left early": charges.test_a_stream_left_early_is_charged_its_estimate,
    "the Cycles server cannot be reached, or the key is wrong": (
        refusals.test_where_the_authority_is_gone_nothing_runs
    ),
    "a charge is refused by the server": (
        refusals.test_an_answer_that_was_paid_for_is_kept_where_its_settlement_is_refused
    ),
    "an option is wrong, or there is no client": (
        models.test_a_wrong_option_is_said_when_the_model_is_guarded
    ),
    "`langchain` is not installed": (
        refusals.test_langchain_core_alone_is_enough_for_models_and_tools
    ),
    "the client is in shadow mode": shadow.test_what_would_be_refused_runs_and_is_recorded,
}


def rows(heading: str) -> Iterator[list[str]]:
    """The cells of the tables below a heading, without their heads."""
    section = README.partition(f"## {heading}\n")[2].partition("\n## ")[0]
    for table in re.findall(r"(?:^\|.*\n)+", section, re.MULTILINE):
        for line in table.splitlines()[2:]:
            yield [cell.strip() for cell in line.strip("|").split(" | ")]


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


def test_every_row_of_the_capability_table_has_its_test() -> None:
    assert [cells[0] for cells in rows("What can be stopped")] == list(CAPABILITIES)


def test_every_stated_behaviour_has_its_test() -> None:
    assert [cells[0] for cells in rows("What happens when ...")] == list(BEHAVIOURS)


def test_every_option_is_in_the_table() -> None:
    parameters = inspect.signature(CallGuards).parameters.values()
    options = {each.name for each in parameters if each.kind is each.KEYWORD_ONLY}
    assert {cells[0].strip("`") for cells in rows("Options")} == options


def test_the_readme_shows_the_example_that_runs() -> None:
    shown = blocks("python")[0]
    assert shown == EXAMPLE.read_text(encoding="utf-8")
    assert len(shown.splitlines()) <= 40


def test_the_example_ends_in_the_refusal_that_the_readme_shows(tmp_path: Path) -> None:
    ended = run_example(EXAMPLE, tmp_path)
    assert (ended.code, ended.error) == (0, "")
    assert ended.requests < PATIENCE
    assert ended.out in blocks("text")


def test_without_its_guard_the_example_is_refused_nothing(tmp_path: Path) -> None:
    guard = 'guard_model(ChatOpenAI(model="gpt-4o-mini"), client)'
    ended = run_example(EXAMPLE, tmp_path, guard=guard, bare='ChatOpenAI(model="gpt-4o-mini")')
    assert ended.code == 1
    assert ended.requests >= PATIENCE
    assert ended.out == ""


def act(to: str) -> str:
    """Act."""
    return f"acted on {to}"


@pytest.mark.parametrize("line", range(1, 5))
def test_each_entry_point_is_one_line_that_asks(line: int) -> None:
    entry = blocks("python")[1].splitlines()
    with stage(calls("act", to="it"), "done") as it:
        question = {"messages": [("user", "go")]}
        known: dict[str, Any] = {
            "client": it.client,
            "model": it.model(),
            "tools": [act],
            "question": question,
            "agent": create_agent(it.model(), [act]),
            "create_agent": create_agent,
            "guard_model": guard_model,
            "guard_tools": guard_tools,
            "CyclesMiddleware": CyclesMiddleware,
            "CyclesCallbackHandler": CyclesCallbackHandler,
        }
        exec(entry[line - 1], known)
        if line <= 2:
            known["agent"] = create_agent(known["model"], known["tools"])
        if line < 4:
            known["agent"].invoke(question)
        asked = {"llm.completion": 2, "unknown.call": 1}
        if line == 1:
            del asked["unknown.call"]
        if line == 2:
            del asked["llm.completion"]
        kinds = [call.action.kind for call in it.reservations]
        assert {kind: kinds.count(kind) for kind in kinds} == asked


def test_a_refusal_is_caught_as_the_readme_says(capsys: pytest.CaptureFixture[str]) -> None:
    with stage(budget=NOTHING) as it:
        known = {
            "agent": create_agent(guard_model(it.model(), it.client)),
            "question": {"messages": [("user", "go")]},
            "BudgetExceededError": BudgetExceededError,
        }
        exec(blocks("python")[2], known)
    assert capsys.readouterr().out == f"tenant:acme {NOTHING.amount}\n"

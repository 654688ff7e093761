"""The README keeps its word: its example runs, its tables are complete, each claim has its test."""

import ast
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from agents import Agent, RunConfig, Runner

from runcycles import BudgetExceededError, usd
from runcycles.calls import CallGuards
from runcycles_openai_agents import CyclesModel, CyclesModelProvider, CyclesRunHooks, guard
from tests.adapters.examples import PATIENCE, run_example
from tests.adapters.openai_agents import (
    test_charges as charges,
)
from tests.adapters.openai_agents import (
    test_faults as faults,
)
from tests.adapters.openai_agents import (
    test_guarding as guarding,
)
from tests.adapters.openai_agents import (
    test_hooks as hooks,
)
from tests.adapters.openai_agents import (
    test_matrix as matrix,
)
from tests.adapters.openai_agents import (
    test_models as models,
)
from tests.adapters.openai_agents import (
    test_refusals as refusals,
)
from tests.adapters.openai_agents import (
    test_shadow as shadow,
)
from tests.adapters.openai_agents.stage import stage
from tests.repo.tree import ROOT

PACKAGE = ROOT / "packages" / "openai_agents"
EXAMPLE = PACKAGE / "examples" / "refused.py"
README = (PACKAGE / "README.md").read_text(encoding="utf-8")
WITHIN_S = 60

CAPABILITIES = {
    "A model call in `run`, `run_sync`, `run_streamed`": [
        matrix.test_a_guarded_agent_never_makes_a_denied_call,
        matrix.test_hooks_and_a_provider_never_let_a_denied_call_happen,
    ],
    "A model that the agent holds as an object": [
        charges.test_a_call_is_charged_what_its_usage_costs,
        models.test_a_provider_does_not_see_model_objects_and_tools,
        hooks.test_hooks_charge_what_a_call_used,
    ],
    "A model given in `RunConfig(model=...)`": [
        models.test_a_model_of_the_run_config_is_guarded_where_it_is_one_of_ours,
        hooks.test_hooks_price_the_agent_s_model_whatever_the_run_config_says,
    ],
    "Another attempt by `ModelSettings(retry=...)`": [
        faults.test_each_attempt_of_the_sdk_is_reserved_for,
        hooks.test_hooks_see_one_call_where_the_sdk_tries_several_times,
    ],
    "Another attempt by the OpenAI client (`max_retries`)": [
        faults.test_attempts_of_the_client_below_the_sdk_cannot_be_seen,
    ],
    "The length of an answer: `max_tokens`, caps": [
        charges.test_a_request_without_a_limit_gets_the_one_that_was_reserved_for,
        charges.test_the_caps_of_a_permission_limit_the_answer,
        hooks.test_hooks_cannot_limit_an_answer_so_what_caps_it_is_refused,
    ],
    "Function tools, tools of MCP servers": [
        matrix.test_a_guarded_agent_never_makes_a_denied_call,
        guarding.test_a_refused_tool_of_an_mcp_server_does_not_run,
        hooks.test_hooks_stop_the_tools_of_mcp_servers,
    ],
    "Custom tools": [guarding.test_tools_with_a_text_for_input_are_guarded],
    "Shell, computer and patch tools in this process": [
        guarding.test_tools_that_only_hooks_can_stop_are_named_in_the_log,
        hooks.test_hooks_stop_the_shell_and_guarded_agents_alone_do_not,
    ],
    "Hosted tools: web and file search, code interpreter, hosted MCP": [
        guarding.test_hosted_tools_are_left_alone,
    ],
    "A handoff": [
        guarding.test_agents_that_hand_over_to_each_other_are_guarded,
        guarding.test_an_agent_that_only_a_handoff_knows_is_guarded_when_it_takes_over,
    ],
    "An agent used as a tool": [
        matrix.test_a_guarded_agent_never_makes_a_denied_call,
        models.test_a_provider_guards_models_by_name_for_agents_used_as_tools_too,
        hooks.test_hooks_do_not_see_agents_used_as_tools,
    ],
    "A refusal inside an agent used as a tool": [
        guarding.test_a_refusal_deep_inside_stops_all_agents_around_it,
        hooks.test_with_hooks_of_its_own_such_an_agent_is_stopped_but_its_parent_reads_on,
    ],
    "Conversations and prompts that the provider stores": [
        charges.test_what_the_provider_adds_is_charged_beyond_the_estimate,
    ],
    "Models called by your guardrails, instructions and tools": [
        guarding.test_an_agent_that_a_tool_runs_is_only_seen_if_it_is_guarded_itself,
    ],
}

BEHAVIOURS = {
    "a tool is not mapped": refusals.test_a_tool_that_nobody_mapped_is_an_unknown_call,
    "nobody knows the model's price": (
        refusals.test_a_model_without_a_price_is_refused_before_it_is_asked
    ),
    "an agent has no name": (charges.test_an_agent_without_a_name_is_charged_to_who_the_client_is),
    "a tool raises, or takes too long": (
        faults.test_a_tool_that_raises_is_charged_and_its_error_goes_the_usual_way
    ),
    "a model does not tell its usage": charges.test_a_model_without_usage_is_charged_its_estimate,
    "the model answers with an error status, or cannot be reached": (
        faults.test_an_error_status_gives_the_hold_back
    ),
    "its answer cannot be read, or the call is cancelled": (
        faults.test_an_answer_that_cannot_be_read_is_charged
    ),
    "a stream is left early": faults.test_a_stream_that_is_left_early_is_charged_its_estimate,
    "the Cycles server cannot be reached, or the key is wrong": (
        refusals.test_without_an_authority_nothing_runs
    ),
    "a charge does not reach the server": (
        refusals.test_a_charge_that_is_not_taken_stops_the_run_and_keeps_the_answer
    ),
    "an option is wrong, or there is no client": (
        refusals.test_a_wrong_option_is_found_when_the_agent_is_guarded
    ),
    "the client is in shadow mode": shadow.test_what_would_be_refused_runs_and_is_logged,
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
    def own(function: Any) -> set[str]:
        parameters = inspect.signature(function).parameters.values()
        return {each.name for each in parameters if each.kind is each.KEYWORD_ONLY}

    told = {cells[0].strip("`") for cells in rows("Options")}
    assert told == own(CallGuards) | own(guard)
    for made in (CyclesModel, CyclesRunHooks):
        assert all(f"`{name}" in README for name in own(made)), made


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
    guard = "guard(editor, client)"
    ended = run_example(EXAMPLE, tmp_path, guard=guard, bare="assert client")
    assert ended.code == 1
    assert ended.requests >= PATIENCE
    assert ended.out == ""


@pytest.mark.parametrize("block", blocks("python")[1:3])
async def test_each_entry_point_is_one_line(block: str) -> None:
    with stage() as it:
        known: dict[str, Any] = {
            "agent": Agent(name="a", model="gpt-4o-mini"),
            "client": it.client,
            "CyclesModel": lambda client, name: CyclesModel(client, name, provider=it.models()),
            "CyclesModelProvider": lambda client: CyclesModelProvider(client, it.models()),
            "CyclesRunHooks": CyclesRunHooks,
            "RunConfig": RunConfig,
            "Runner": Runner,
            "guard": lambda agent, client: guard(agent, client, provider=it.models()),
        }
        if "hooks" in block:
            known["agent"] = it.agent()
        code = compile(block, "README.md", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        await eval(code, known)
        assert it.requests == len(it.reservations) > 0


async def test_a_refusal_is_caught_as_the_readme_says(capsys: pytest.CaptureFixture[str]) -> None:
    with stage(budget=usd("0.00000001")) as it:
        known = {
            "agent": guard(it.agent(), it.client),
            "BudgetExceededError": BudgetExceededError,
            "Runner": Runner,
        }
        block = blocks("python")[3]
        code = compile(block, "README.md", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        await eval(code, known)
        assert capsys.readouterr().out.startswith("tenant:acme 1 RunErrorDetails")


def test_the_install_command_names_folders_that_exist() -> None:
    (install,) = [line for line in blocks("sh")[0].splitlines() if line.startswith("pip install")]
    for folder in install.split()[2:]:
        assert (Path(ROOT) / folder / "pyproject.toml").is_file()


def test_the_adapter_stays_small() -> None:
    """Lines of code: what is left without blank lines, comments and documentation."""
    sources = (PACKAGE / "src").rglob("*.py")
    assert sum(lines_of_code(path.read_text(encoding="utf-8")) for path in sources) < 400


def lines_of_code(source: str) -> int:
    without_texts = re.sub(r'^ *"""(?:.|\n)*?"""', "", source, flags=re.MULTILINE)
    lines = (line.strip() for line in without_texts.splitlines())
    return sum(bool(line) and not line.startswith("#") for line in lines)

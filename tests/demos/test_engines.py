"""The race with agents of real frameworks; each has to be noticed when its guard is taken away."""

import json
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

import pytest

from runcycles_demos.runaway.engine import CENT, CREWAI, ENGINES, LANGCHAIN, OPENAI_AGENTS
from runcycles_demos.runaway.introduction import introduction
from runcycles_demos.runaway.scene import runaway_stack
from runcycles_demos.runaway.terms import (
    DRY_RUN,
    GUARDED,
    LIMIT,
    OBSERVED,
    RACE,
    SHADOW,
    TOKENS,
    UNGUARDED,
    Terms,
)
from tests.demos.run_demo import Show, cycles, document, ids, scene

FRAMEWORKS = [LANGCHAIN, OPENAI_AGENTS, CREWAI]
MISSING = str(Path(__file__).parent / "missing")


def short(name: str, scene: str, *, cents: int = 25) -> Terms:
    """Forty calls, of which the limit pays four: as telling as a thousand, and sooner over."""
    return Terms(scene=scene, engine=replace(ENGINES[name], price=cents * CENT), period_ms=0)


@pytest.mark.parametrize("name", [engine.name for engine in FRAMEWORKS])
def test_an_agent_of_a_framework_stops_at_exactly_one_dollar(name: str) -> None:
    engine = ENGINES[name]
    told = document("--fast", "--engine", name)
    race, calls = scene(told, RACE), LIMIT // engine.price
    assert told["engine"] == {"name": name, "version": version(engine.distribution)}
    assert ids(race, ok=True) == [f"R{n}" for n in range(1, 11) if n != 7]
    unguarded, guarded = race["lanes"][UNGUARDED], race["lanes"][GUARDED]
    assert unguarded["provider"] == {"requests": 10 * calls, "billed_microcents": 10 * LIMIT}
    assert guarded["provider"] == {"requests": calls, "billed_microcents": LIMIT}
    assert guarded["denial"]["call"] == calls + 1
    assert guarded["reservations"]["COMMITTED"] == calls


@pytest.mark.parametrize("name", [LANGCHAIN.name, OPENAI_AGENTS.name])
def test_an_agent_of_a_framework_can_be_watched_and_pay_by_the_token(
    name: str, shown: Show
) -> None:
    scenes = [short(name, SHADOW), short(name, TOKENS, cents=1)]
    code, told = shown(scenes, runaway_stack())
    assert code == 0, told
    lanes = scene(told, SHADOW)["lanes"]
    assert lanes[OBSERVED]["would_refuse"] == {"first_call": 5, "calls": 36}
    assert lanes[DRY_RUN]["would_refuse"] == {"first_call": None, "calls": 0}
    assert ids(scene(told, TOKENS), ok=True) == [f"T{n}" for n in range(1, 11)]


@pytest.mark.parametrize("name", [engine.name for engine in FRAMEWORKS])
def test_a_framework_without_its_guard_is_noticed(name: str, shown: Show) -> None:
    stack = runaway_stack()
    bare = replace(stack, agents={**stack.agents, GUARDED: stack.agents[UNGUARDED]})
    code, told = shown([short(name, RACE)], bare)
    assert code == 1
    assert {"R1", "R4"} <= set(ids(scene(told, RACE), ok=False))
    assert scene(told, RACE)["lanes"][GUARDED]["provider"]["requests"] == 40


@pytest.mark.parametrize(
    ("name", "package"),
    [
        ("langchain", "langchain_openai"),
        ("langchain", "runcycles_langchain"),
        ("openai-agents", "agents"),
        ("crewai", "crewai"),
    ],
)
def test_a_framework_that_is_not_installed_is_named_with_the_command_that_installs_it(
    name: str, package: str
) -> None:
    done = cycles(
        "--fast", "--json", "--engine", name, PYTHONPATH=MISSING, MISSING_PACKAGES=package
    )
    assert done.returncode == 3
    assert done.stderr == (
        f"cycles demo runaway: The engine {name} is not installed; install it with: "
        f"pip install 'runcycles-demos[{name}]'\n"
    )
    told = json.loads(done.stdout)
    assert (told["complete"], told["ok"]) == (False, False)
    assert told["engine"] == {"name": name, "version": None}


@pytest.mark.parametrize("name", [engine.name for engine in FRAMEWORKS])
def test_the_first_screen_names_the_framework_its_version_and_its_guard(name: str) -> None:
    engine = ENGINES[name]
    intro = introduction(Terms(engine=engine, period_ms=engine.period_ms))
    assert f"{engine.title} {engine.version}" in intro["rows"]["Real"]
    assert engine.guard in intro["rows"]["Same"]
    assert f"engine {name} {engine.version}" in intro["caption"][0]


@pytest.mark.parametrize("name", ENGINES)
def test_ten_dollars_take_twelve_seconds_at_the_pace_of_every_engine(name: str) -> None:
    terms = Terms(engine=ENGINES[name], period_ms=ENGINES[name].period_ms)
    assert terms.cut_s == 12
    assert terms.calls * terms.price == 10 * LIMIT

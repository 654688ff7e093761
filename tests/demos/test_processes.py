import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from runcycles_demos.kit import processes
from runcycles_demos.kit.processes import Child, Command, end_all
from runcycles_demos.kit.trouble import Interruptions, StackError, StoppedError
from tests.demos.gone import still_there, wait_until_gone
from tests.repo.tree import ROOT

HERE = {"PYTHONPATH": str(ROOT)}


def a_module(name: str, *arguments: str) -> Command:
    return Command(module=f"tests.demos.{name}", arguments=arguments, environment=HERE)


def nobody_asked() -> None:
    """Nothing speaks against going on."""


@pytest.fixture
def stubborn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Child]:
    monkeypatch.setattr(processes, "_END_S", 0.1)
    child = Child("stubborn", a_module("stubborn", '{"ready": true}'), tmp_path)
    yield child
    end_all([child])


def test_a_process_that_ignores_the_request_to_end_is_ended(stubborn: Child) -> None:
    assert stubborn.document(within_s=10, check=nobody_asked) == {"ready": True}
    stubborn.ask_to_end()
    stubborn.end()
    assert stubborn.exit_code == -signal.SIGKILL
    assert wait_until_gone(stubborn.pid)


def test_ending_twice_signals_nobody_else(stubborn: Child) -> None:
    stubborn.end()
    stubborn.ask_to_end()
    stubborn.end()
    assert stubborn.ended


def test_a_process_that_dies_is_reported_with_its_last_words(tmp_path: Path) -> None:
    child = Child("model", Command(module="no.such.module"), tmp_path)
    with pytest.raises(StackError, match=r"(?s)model process ended before.*No module named"):
        child.document(within_s=10, check=nobody_asked)
    end_all([child])


def test_a_process_that_says_something_else_is_reported(tmp_path: Path) -> None:
    child = Child("model", a_module("stubborn", "[]"), tmp_path)
    with pytest.raises(StackError, match="where a JSON object was expected"):
        child.document(within_s=10, check=nobody_asked)
    os.killpg(child.pid, signal.SIGKILL)
    end_all([child])


def test_a_process_that_is_not_ready_in_time_is_reported(stubborn: Child) -> None:
    stubborn.document(within_s=10, check=nobody_asked)
    with pytest.raises(StackError, match=r"not ready within 0\.01 s"):
        stubborn.document(within_s=0.01, check=nobody_asked)


def test_the_users_own_settings_do_not_reach_a_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CYCLES_API_KEY", "the-users-own")
    child = Child("environment", a_module("say_settings"), tmp_path)
    assert child.document(within_s=10, check=nobody_asked) == {}
    end_all([child])


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_nothing_outlives_the_process_that_started_it(number: signal.Signals) -> None:
    starter = subprocess.Popen(
        [sys.executable, "-m", "tests.demos.starter"], stdout=subprocess.PIPE, cwd=ROOT
    )
    with starter:
        assert starter.stdout is not None
        pids = json.loads(starter.stdout.readline())
        starter.send_signal(number)
        starter.wait(timeout=10)
        assert len(pids) == 2
        assert still_there(pids) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_is_noticed_at_the_next_check_and_no_sooner(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    with Interruptions() as interruptions:
        interruptions.check()
        signal.raise_signal(number)
        with pytest.raises(StoppedError):
            interruptions.check()
    assert signal.getsignal(number) is before

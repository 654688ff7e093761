import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import pytest

from runcycles.testing.model_server import ModelServer
from runcycles.testing.model_server.__main__ import main
from tests.core.testing.lanes import chat_body, echo, get, post

COMMAND = [sys.executable, "-m", "runcycles.testing.model_server"]


@contextmanager
def serving(*options: str) -> Iterator[tuple["subprocess.Popen[str]", str]]:
    """Run the server as a process; yield it with its address."""
    with subprocess.Popen(
        [*COMMAND, *options],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            yield process, json.loads(process.stdout.readline())["base_url"]
        finally:
            process.kill()


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_the_process_serves_until_it_is_told_to_stop(how: signal.Signals) -> None:
    with serving("--fault", "500@2", "--request-microcents", "7") as (process, url):
        body = chat_body("draft a reply")
        statuses = [post(f"{url}/lane/v1/chat/completions", body).status_code for _ in range(2)]
        billed = get(f"{url}/meter").json()["runs"]["lane"]["billed_microcents"]
        process.send_signal(how)
        _, errors = process.communicate(timeout=5)
    assert (statuses, billed) == ([200, 500], 7)
    assert (process.returncode, errors) == (0, "")


def test_the_process_ends_when_its_standard_input_closes() -> None:
    with serving("--until-stdin-closes") as (process, _):
        _, errors = process.communicate("still here\n", timeout=5)
    assert (process.returncode, errors) == (0, "")


def test_the_process_may_run_a_script_of_ones_own() -> None:
    script = "tests.core.testing.lanes:echo"
    with serving("--script", script, "--price", "tokens") as (_, url):
        answer = post(f"{url}/lane/v1/chat/completions", chat_body("four"))
        billed = get(f"{url}/meter").json()["runs"]["lane"]["billed_microcents"]
    assert answer.json()["choices"][0]["message"]["content"] == "four"
    assert billed == 500 + 2_500


def test_the_process_says_when_its_port_is_taken(capsys: pytest.CaptureFixture[str]) -> None:
    handlers = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    with ModelServer(echo) as server:
        port = urlsplit(server.base_url).port
        assert main(["--port", str(port)]) == 3
    assert f"cannot listen on port {port}" in capsys.readouterr().err
    assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)) == handlers


@pytest.mark.parametrize(
    "options",
    [
        ["--fault", "sometimes"],
        ["--script", "refine"],
        ["--script", "no.such.module:script"],
        ["--script", "json:no_such_script"],
        ["--price", "free"],
        ["--port", "any"],
    ],
)
def test_the_process_refuses_options_it_does_not_understand(
    options: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as refused:
        main(options)
    assert refused.value.code == 2
    assert options[0] in capsys.readouterr().err

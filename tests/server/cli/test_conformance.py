"""`cycles conformance`: what it is given, and what it says when that does not serve."""

import json
from pathlib import Path

import pytest

from runcycles_server.conformance import REQUIREMENTS, Profile
from tests.server.cli.conftest import Command
from tests.support.served import ADMIN_KEY, served

NOBODY = "http://127.0.0.1:9"


def test_it_says_which_server_and_which_tenants_are_wanted(command: Command) -> None:
    assert command("conformance").complains_about("--base-url")
    ended = command("conformance", f"--base-url={NOBODY}")
    assert (ended.code, ended.complains_about("--admin-key")) == (2, True)


@pytest.mark.parametrize("url", ["nonsense", "ftp://127.0.0.1", "http://", "http://["])
def test_an_address_that_is_none_is_named(command: Command, url: str) -> None:
    ended = command("conformance", f"--base-url={url}", "--admin-key=k")
    assert (ended.code, ended.complains_about(repr(url))) == (2, True)


def test_a_server_that_is_not_there_is_one_sentence(command: Command) -> None:
    ended = command("conformance", f"--base-url={NOBODY}", "--admin-key=k")
    assert (ended.code, ended.complains_about("was not answered")) == (1, True)


def test_a_file_that_does_not_serve_is_one_sentence(command: Command, tmp_path: Path) -> None:
    missing = tmp_path / "missing.json"
    ended = command("conformance", f"--base-url={NOBODY}", f"--fixtures={missing}")
    assert (ended.code, ended.complains_about("missing.json")) == (2, True)


def test_the_plan_has_every_check_of_the_runtime_that_asks(command: Command) -> None:
    ended = command("conformance", "--plan")
    stands = json.loads(ended.out)["stands"]
    runtime = {each.id for each in REQUIREMENTS if each.profile is Profile.RUNTIME}
    assert ended.code == 0
    assert len(stands) > 200
    assert stands.keys() <= runtime


def test_a_profile_by_itself_shows_a_table(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    with served() as server:
        monkeypatch.setenv("CYCLES_BASE_URL", server.base_url)
        monkeypatch.setenv("CYCLES_ADMIN_KEY", ADMIN_KEY)
        ended = command("conformance", "--profile=extension", "--all")
    assert (ended.code, ended.err) == (0, "")
    for words in ("EX-KIND-001", "passed", "RT-RESERVE-001", "not claimed", "Conforms: "):
        assert words in ended.out


def test_a_wrong_admin_key_fails_what_needs_one(command: Command) -> None:
    with served() as server:
        ended = command(
            "conformance",
            f"--base-url={server.base_url}",
            "--admin-key=wrong",
            "--profile=extension",
        )
    assert ended.code == 1
    assert "Does not conform" in ended.out
    assert "could not be set up" in ended.out

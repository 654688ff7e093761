import pickle
from typing import Any

import pytest

from runcycles import ConfigurationError, CyclesConfig, Mode, OnError, Subject
from runcycles.connection import Connection

SERVER = "http://localhost:7878"


@pytest.fixture(autouse=True)
def empty_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("BASE_URL", "API_KEY", "TENANT", "MODE", "READ_TIMEOUT"):
        monkeypatch.delenv(f"CYCLES_{name}", raising=False)


def given(monkeypatch: pytest.MonkeyPatch, **variables: str) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(f"CYCLES_{name}", value)


def test_every_setting_can_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    given(
        monkeypatch,
        BASE_URL="https://cycles.example/api",
        API_KEY="cyc_live_1",
        TENANT="acme",
        WORKSPACE="prod",
        APP="crm",
        WORKFLOW="triage",
        AGENT="writer",
        TOOLSET="mail",
        MODE="shadow",
        ON_ERROR="commit_estimate",
        CONNECT_TIMEOUT="1.5",
        READ_TIMEOUT="4",
        SETTLE_TIMEOUT="12",
        MAX_CONNECTIONS="7",
        RETRY_ENABLED="no",
        RETRY_MAX_ATTEMPTS="3",
        RETRY_INITIAL_DELAY="0",
        RETRY_MULTIPLIER="1.5",
        RETRY_MAX_DELAY="9",
    )
    assert CyclesConfig.from_env() == CyclesConfig(
        base_url="https://cycles.example/api",
        api_key="cyc_live_1",
        tenant="acme",
        workspace="prod",
        app="crm",
        workflow="triage",
        agent="writer",
        toolset="mail",
        mode=Mode.SHADOW,
        on_error=OnError.COMMIT_ESTIMATE,
        connect_timeout=1.5,
        read_timeout=4.0,
        settle_timeout=12.0,
        max_connections=7,
        retry_enabled=False,
        retry_max_attempts=3,
        retry_initial_delay=0.0,
        retry_multiplier=1.5,
        retry_max_delay=9.0,
    )


def test_an_empty_variable_counts_as_unset(monkeypatch: pytest.MonkeyPatch) -> None:
    given(monkeypatch, BASE_URL=SERVER, API_KEY="k", TENANT="", MODE="  ", READ_TIMEOUT="")
    assert CyclesConfig.from_env() == CyclesConfig(base_url=SERVER, api_key="k")


def test_variables_may_have_another_prefix(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BUDGET_BASE_URL", "embedded:")
    assert CyclesConfig.from_env(prefix="BUDGET_").is_embedded


@pytest.mark.parametrize("text", ["1", "yes", "true", "on", "TRUE", "On"])
def test_the_usual_words_switch_on(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    given(monkeypatch, BASE_URL=SERVER, API_KEY="k", RETRY_ENABLED=text)
    assert CyclesConfig.from_env().retry_enabled


@pytest.mark.parametrize("text", ["0", "no", "false", "off", "False"])
def test_their_opposites_switch_off(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    given(monkeypatch, BASE_URL=SERVER, API_KEY="k", RETRY_ENABLED=text)
    assert not CyclesConfig.from_env().retry_enabled


@pytest.mark.parametrize(
    ("variable", "text"),
    [
        ("RETRY_ENABLED", "maybe"),
        ("READ_TIMEOUT", "soon"),
        ("READ_TIMEOUT", "0"),
        ("CONNECT_TIMEOUT", "-1"),
        ("SETTLE_TIMEOUT", "inf"),
        ("READ_TIMEOUT", "nan"),
        ("MAX_CONNECTIONS", "0"),
        ("MAX_CONNECTIONS", "1.5"),
        ("RETRY_MAX_ATTEMPTS", "0"),
        ("RETRY_INITIAL_DELAY", "-0.1"),
        ("RETRY_MULTIPLIER", "0.5"),
        ("RETRY_MAX_DELAY", "-1"),
        ("MODE", "observe"),
        ("ON_ERROR", "forget"),
        ("TENANT", "x" * 129),
        ("TENANT", "two words"),
        ("AGENT", "a/b"),
        ("BASE_URL", "localhost:7878"),
        ("BASE_URL", "ftp://localhost"),
        ("BASE_URL", "http://"),
        ("BASE_URL", "http://host:port"),
        ("BASE_URL", "http://host name"),
        ("BASE_URL", "http://host\u2028name"),
        ("BASE_URL", "http://[::1"),
        ("BASE_URL", "http://key@host"),
        ("BASE_URL", "http://host?key=1"),
        ("API_KEY", "two words"),
        ("API_KEY", "ключ"),
    ],
)
def test_a_wrong_variable_is_named(
    monkeypatch: pytest.MonkeyPatch, variable: str, text: str
) -> None:
    given(monkeypatch, BASE_URL=SERVER, API_KEY="k")
    given(monkeypatch, **{variable: text})
    with pytest.raises(ConfigurationError, match=f"CYCLES_{variable}"):
        CyclesConfig.from_env()


def test_a_missing_address_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    given(monkeypatch, API_KEY="k")
    with pytest.raises(ConfigurationError, match="CYCLES_BASE_URL is missing"):
        CyclesConfig.from_env()


def test_a_server_needs_a_key(monkeypatch: pytest.MonkeyPatch) -> None:
    given(monkeypatch, BASE_URL=SERVER)
    with pytest.raises(ConfigurationError, match="CYCLES_API_KEY is missing"):
        CyclesConfig.from_env()


def test_an_authority_inside_this_process_needs_none() -> None:
    assert CyclesConfig(base_url="embedded:?tenant=demo&budget=5usd").is_embedded


@pytest.mark.parametrize(
    "setting",
    [
        {"retry_max_attempts": True},
        {"retry_enabled": 1},
        {"read_timeout": "5"},
        {"mode": None},
        {"tenant": ""},
        {"tenant": 7},
        {"api_key": None},
        {"api_key": b"key"},
        {"base_url": 7},
    ],
)
def test_a_wrong_value_is_found_at_construction(setting: dict[str, Any]) -> None:
    values: dict[str, Any] = {"base_url": SERVER, "api_key": "k", **setting}
    with pytest.raises(ConfigurationError, match=next(iter(setting))):
        CyclesConfig(**values)


def test_words_are_taken_for_choices() -> None:
    config = CyclesConfig(base_url="embedded:", mode="shadow")  # type: ignore[arg-type]  # as text
    assert config.mode is Mode.SHADOW


def test_a_whole_number_is_a_time_too() -> None:
    assert CyclesConfig(base_url="embedded:", read_timeout=3).read_timeout == 3


def test_a_config_error_is_a_value_error() -> None:
    with pytest.raises(ValueError, match="base_url"):
        CyclesConfig(base_url="")


def test_the_key_is_never_shown() -> None:
    config = CyclesConfig(base_url=SERVER, api_key="cyc_live_secret")
    assert "secret" not in repr(config)
    assert "secret" not in str(config)


def test_a_config_survives_being_sent_to_another_process() -> None:
    config = CyclesConfig(base_url=SERVER, api_key="k", tenant="acme")
    assert pickle.loads(pickle.dumps(config)) == config


def test_a_request_may_take_as_long_as_all_its_phases() -> None:
    config = CyclesConfig(base_url="embedded:", connect_timeout=2, read_timeout=5)
    assert config.request_timeout == 11


def test_a_client_needs_to_be_told_whom_to_ask() -> None:
    with pytest.raises(ConfigurationError, match="config"):
        Connection()


# ── who spends ───────────────────────────────────────────────────────────────────────────────


def connection(**levels: str) -> Connection:
    return Connection(CyclesConfig(base_url=SERVER, api_key="k", **levels))  # type: ignore[arg-type]  # only levels


def test_the_config_says_who_spends_where_nobody_else_does() -> None:
    assert connection(tenant="acme", app="crm").subject_of() == Subject(tenant="acme", app="crm")


def test_a_subject_is_completed_level_by_level() -> None:
    spender = connection(tenant="acme", app="crm", agent="reader")
    assert spender.subject_of(Subject(agent="writer")) == Subject(
        tenant="acme", app="crm", agent="writer"
    )


def test_a_complete_subject_is_left_alone() -> None:
    subject = Subject(tenant="other")
    assert connection(tenant="acme").subject_of(subject) is subject


def test_dimensions_are_added() -> None:
    subject = connection(tenant="acme").subject_of(
        Subject(dimensions={"team": "red", "run": "1"}), {"run": "2"}
    )
    assert subject == Subject(tenant="acme", dimensions={"team": "red", "run": "2"})


@pytest.mark.parametrize("subject", [None, Subject(), Subject(dimensions={"team": "red"})])
def test_somebody_has_to_spend(subject: Subject | None) -> None:
    with pytest.raises(ConfigurationError, match="nobody to charge"):
        connection().subject_of(subject)


# ── embedded ─────────────────────────────────────────────────────────────────────────────────


def test_without_the_server_package_an_embedded_url_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("importlib.metadata.entry_points", lambda **_: ())
    with pytest.raises(ConfigurationError, match="pip install runcycles-server"):
        Connection(CyclesConfig(base_url="embedded:?tenant=demo"))

"""`cycles serve`: how it starts, how it fails to, and what it writes to its log."""

import json
import re
import socket
from pathlib import Path

import httpx
import pytest

from tests.server.cli.conftest import Command
from tests.support.processes import environment, running

ADMIN = {"CYCLES_ADMIN_KEY": "an admin key of our own"}


def tenants(base_url: str, admin_key: str) -> int:
    with httpx.Client(base_url=base_url, headers={"X-Admin-API-Key": admin_key}) as http:
        return http.get("/v1/admin/tenants").status_code


def test_without_an_admin_key_one_is_made_shown_once_and_kept_as_a_digest(tmp_path: Path) -> None:
    with running("serve", "--port", "0", "--json", cwd=tmp_path) as process:
        first = process.said()
        assert tenants(first["base_url"], first["admin_key"]) == 200
        process.stop()
    kept = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert first["admin_key"].encode() not in kept
    with running("serve", "--port", "0", "--json", cwd=tmp_path) as process:
        again = process.said()
        assert list(again) == ["base_url"]
        assert tenants(again["base_url"], first["admin_key"]) == 200
        assert process.stop()[0] == 0


def test_a_given_admin_key_holds_and_is_not_repeated(tmp_path: Path) -> None:
    env = environment(**ADMIN)
    with running("serve", "--port", "0", cwd=tmp_path, env=env) as process:
        base_url = process.line().rpartition(" ")[2].strip()
        assert tenants(base_url, ADMIN["CYCLES_ADMIN_KEY"]) == 200
        assert tenants(base_url, "another") == 401
        code, rest, errors = process.stop()
    assert code == 0
    assert ADMIN["CYCLES_ADMIN_KEY"] not in rest + errors


def test_for_people_the_new_key_stands_on_a_line_of_its_own(tmp_path: Path) -> None:
    with running("serve", "--port", "0", "--store", "memory:", cwd=tmp_path) as process:
        process.line()
        _, rest, _ = process.stop()
    assert re.search(r"^  cyc_admin_[\w-]{43}$", rest, re.MULTILINE)


def test_every_request_leaves_one_line_of_json_without_any_key(tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    arguments = ("--port", "0", "--json", "--access-log", str(log))
    with running("dev", *arguments, cwd=tmp_path) as process:
        said = process.said()
        asked = {
            "idempotency_key": "k",
            "subject": {"tenant": "demo"},
            "action": {"kind": "a", "name": "b"},
            "estimate": {"unit": "USD_MICROCENTS", "amount": 1},
        }
        with httpx.Client(
            base_url=said["base_url"], headers={"X-Cycles-API-Key": said["api_key"]}
        ) as http:
            held = http.post("/v1/reservations", json=asked)
            denied = http.post(
                "/v1/decide",
                json={**asked, "estimate": {"unit": "USD_MICROCENTS", "amount": 10**12}},
            )
            missing = http.get("/v1/reservations/nope")
            nowhere = http.get("/nowhere")
        assert process.stop()[0] == 0
    text = log.read_text()
    lines = [json.loads(line) for line in text.splitlines()]
    for line in lines:
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line.pop("time"))
        assert line.pop("duration_ms") > 0
        assert line.pop("trace_id")
        assert line.pop("key_id", "key_").startswith("key_")
    reservation_id = held.json()["reservation_id"]
    answers = (held, denied, missing, nowhere)
    assert [line.pop("request_id") for line in lines] == [
        answer.headers["x-request-id"] for answer in answers
    ]
    assert lines == [
        {
            "method": "POST",
            "path": "/v1/reservations",
            "status": 200,
            "tenant": "demo",
            "decision": "ALLOW",
            "reservation_id": reservation_id,
        },
        {
            "method": "POST",
            "path": "/v1/decide",
            "status": 200,
            "tenant": "demo",
            "decision": "DENY",
            "reason": "BUDGET_EXCEEDED",
        },
        {
            "method": "GET",
            "path": "/v1/reservations/{reservation_id}",
            "status": 404,
            "tenant": "demo",
            "error": "NOT_FOUND",
            "reservation_id": "nope",
        },
        {"method": "GET", "path": "/nowhere", "status": 404, "error": "NOT_FOUND"},
    ]
    assert said["api_key"] not in text
    assert said["admin_key"] not in text


def test_the_log_goes_to_standard_error_by_default(tmp_path: Path) -> None:
    with running("serve", "--port", "0", "--store", "memory:", "--json", cwd=tmp_path) as process:
        httpx.get(process.said()["base_url"] + "/healthz")
        _, _, errors = process.stop()
    assert json.loads(errors)["path"] == "/healthz"


def test_a_port_in_use_is_one_sentence(command: Command) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        ended = command("serve", "--port", port, "--store", "memory:")
    assert ended.code == 1
    assert ended.err == f"cycles: cannot listen on 127.0.0.1:{port}: Address already in use\n"


@pytest.mark.parametrize(
    ("arguments", "code", "named"),
    [
        (("--store", "sqlite:///nowhere/budget.db"), 1, "nowhere"),
        (("--store", "sqlite:///not-a-database.db"), 1, "not-a-database.db"),
        (("--host", "no.such.host.invalid"), 1, "no.such.host.invalid"),
        (("--access-log", "nowhere/access.log"), 1, "nowhere/access.log"),
        (("--store", "budget.db"), 2, "budget.db"),
        (("--port", "65536"), 2, "--port"),
        (("--colour", "red"), 2, "--colour"),
        (("--admin-key",), 2, "--admin-key"),
    ],
)
def test_what_keeps_it_from_starting_is_one_sentence(
    command: Command, tmp_path: Path, arguments: tuple[str, ...], code: int, named: str
) -> None:
    (tmp_path / "not-a-database.db").write_text("this is a diary, not a database " * 100)
    ended = command("serve", "--port", "0", *arguments)
    assert ended.code == code
    assert ended.complains_about(named), ended.err


def test_a_second_server_on_the_same_store_is_one_sentence(
    command: Command, tmp_path: Path
) -> None:
    with running("serve", "--port", "0", "--json", cwd=tmp_path) as process:
        process.said()
        ended = command("serve", "--port", "0")
    assert ended.code == 1
    assert ended.complains_about("in use")

"""What a client may send: too much is refused before it is read, and nobody waits for it."""

import json

import pytest

from runcycles_server.http.connection import MAX_HEAD_BYTES
from runcycles_server.http.exchange import MAX_BODY_BYTES
from tests.server.http.conftest import Acme
from tests.support.wires import Wire


def test_a_body_that_says_it_is_too_large_is_refused_before_a_byte_of_it_came(
    acme: Acme, wire: Wire
) -> None:
    wire.send(*acme.head(f"content-length: {10**12}"))
    status, headers, body = wire.answer()
    assert (status, body["error"]) == (413, "INVALID_REQUEST")
    assert headers["connection"] == "close"
    assert f"{MAX_BODY_BYTES:,}" in body["message"]


def test_a_client_that_waits_for_leave_is_refused_without_being_asked_to_go_on(
    acme: Acme, wire: Wire
) -> None:
    wire.send(*acme.head(f"content-length: {10**9}", "expect: 100-continue"))
    assert wire.answer()[0] == 413


def test_a_body_without_an_end_is_refused_at_the_limit(acme: Acme, wire: Wire) -> None:
    wire.send(*acme.head("transfer-encoding: chunked"))
    chunk = b"10000\r\n" + b" " * 65_536 + b"\r\n"
    for _ in range(MAX_BODY_BYTES // 65_536 + 1):
        wire.socket.sendall(chunk)
    status, headers, body = wire.answer()
    assert (status, body["error"], headers["connection"]) == (413, "INVALID_REQUEST", "close")


def test_a_stranger_is_refused_without_reading_what_he_sends(wire: Wire) -> None:
    wire.send("POST /v1/reservations HTTP/1.1", "host: cycles", f"content-length: {10**12}")
    status, headers, _ = wire.answer()
    assert (status, headers["connection"]) == (401, "close")


def test_a_body_just_within_the_limit_is_read(acme: Acme) -> None:
    body = json.dumps(acme.question(metadata={"pad": ""}))
    padded = body.replace('"pad": ""', f'"pad": "{"x" * (MAX_BODY_BYTES - len(body))}"')
    assert len(padded) == MAX_BODY_BYTES
    headers = {"content-type": "application/json"}
    answer = acme.client.post("/v1/reservations", content=padded, headers=headers)
    assert answer.status_code == 200
    answer = acme.client.post("/v1/reservations", content=padded + " ", headers=headers)
    assert answer.status_code == 413


@pytest.mark.parametrize("media_type", ["text/plain", "application/x-www-form-urlencoded", "x"])
def test_a_body_that_says_it_is_no_json_is_415(acme: Acme, media_type: str) -> None:
    answer = acme.client.post(
        "/v1/reservations", content="{}", headers={"content-type": media_type}
    )
    assert (answer.status_code, answer.json()["error"]) == (415, "INVALID_REQUEST")
    assert media_type in answer.json()["message"]


@pytest.mark.parametrize(
    "media_type", ["application/json", "application/json; charset=utf-8", "Application/JSON"]
)
def test_json_by_any_of_its_names_is_read(acme: Acme, media_type: str) -> None:
    content = json.dumps(acme.question())
    answer = acme.client.post(
        "/v1/reservations", content=content, headers={"content-type": media_type}
    )
    assert answer.status_code == 200


def test_a_body_that_says_nothing_about_itself_is_read_as_json(acme: Acme) -> None:
    answer = acme.client.post("/v1/reservations", content=json.dumps(acme.question()))
    assert "content-type" not in answer.request.headers
    assert answer.status_code == 200


def test_a_body_in_many_pieces_is_put_together(acme: Acme) -> None:
    content = json.dumps(acme.question()).encode()
    pieces = (content[at : at + 7] for at in range(0, len(content), 7))
    answer = acme.client.post("/v1/reservations", content=pieces)
    assert answer.status_code == 200


def test_a_head_without_an_end_is_refused(wire: Wire) -> None:
    wire.socket.sendall(b"GET /healthz HTTP/1.1\r\nx-pad: " + b"x" * (MAX_HEAD_BYTES + 1))
    status, headers, body = wire.answer()
    assert (status, body["error"]) == (431, "INVALID_REQUEST")
    assert headers["x-request-id"] == body["request_id"]


@pytest.mark.parametrize("noise", [b"\x16\x03\x01\x02\x00\x01\x00", b"hello\r\n\r\n"])
def test_what_is_not_http_is_refused_in_the_envelope(wire: Wire, noise: bytes) -> None:
    wire.socket.sendall(noise)
    status, headers, body = wire.answer()
    assert (status, body["error"]) == (400, "INVALID_REQUEST")
    assert headers["x-cycles-trace-id"] == body["trace_id"]


def test_a_whole_request_is_answered_whatever_follows_it(acme: Acme, wire: Wire) -> None:
    content = json.dumps(acme.question())
    head = "\r\n".join((*acme.head(f"content-length: {len(content)}"), "", ""))
    wire.socket.sendall(f"{head}{content}no request at all\r\n\r\n".encode())
    status, headers, body = wire.answer()
    assert (status, body["decision"], headers["connection"]) == (200, "ALLOW", "close")


def test_a_body_that_breaks_off_its_own_framing_is_refused(acme: Acme, wire: Wire) -> None:
    wire.send(*acme.head("transfer-encoding: chunked"))
    wire.socket.sendall(b"not a length\r\n")
    assert wire.answer()[0] == 400


def test_a_client_that_hangs_up_in_the_middle_troubles_nobody(acme: Acme, wire: Wire) -> None:
    wire.send(*acme.head("content-length: 500"))
    wire.socket.sendall(b'{"idempotency_key"')
    wire.socket.close()
    assert acme.reserve().status_code == 200

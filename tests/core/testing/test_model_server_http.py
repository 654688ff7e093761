import socket
from collections.abc import Iterator

import httpx
import pytest

from runcycles.testing.model_server import Limits, ModelServer
from tests.core.testing.lanes import HELLO, address, chat, chat_body, echo, get, post, raw_post


@pytest.fixture
def server() -> Iterator[ModelServer]:
    with ModelServer(echo, limits=Limits(body_bytes=2_000, header_bytes=2_000)) as server:
        yield server


def raw(server: ModelServer, data: bytes) -> bytes:
    """Send bytes and return everything that comes back until the server hangs up."""
    with socket.create_connection(address(server), timeout=5) as connection:
        connection.sendall(data)
        received = b""
        while chunk := connection.recv(65_536):
            received += chunk
        return received


# --- connections ---


def test_one_connection_carries_many_calls(server: ModelServer) -> None:
    first = raw_post("/lane/v1/chat/completions", HELLO)
    last = raw_post("/lane/v1/chat/completions", HELLO, "Connection: close")
    assert raw(server, first + first + last).count(b"HTTP/1.1 200 OK") == 3


def test_head_and_body_arrive_together(server: ModelServer) -> None:
    with socket.create_connection(address(server), timeout=5) as connection:
        connection.sendall(raw_post("/lane/v1/chat/completions", HELLO))
        assert connection.recv(65_536).endswith(b"}")


def test_a_client_that_asks_first_is_told_to_continue(server: ModelServer) -> None:
    request = raw_post("/l/v1/chat/completions", HELLO, "Expect: 100-continue", "Connection: close")
    assert raw(server, request).startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK")


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (b"hello\r\n\r\n", 400),
        (b"GET /meter HTTP/1.1\r\nno colon here\r\n\r\n", 400),
        (b"GET http://[ HTTP/1.1\r\n\r\n", 400),
        (b"GET /meter HTTP/1.0\r\n\r\n", 505),
        (b"POST /a/v1/responses HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", 411),
        (b"POST /a/v1/responses HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400),
        (b"POST /a/v1/responses HTTP/1.1\r\nContent-Length: " + b"9" * 99 + b"\r\n\r\n", 400),
        (b"GET /meter HTTP/1.1\r\nx: " + b"x" * 5_000 + b"\r\n\r\n", 431),
    ],
)
def test_what_is_not_our_http_is_refused_and_the_connection_closed(
    server: ModelServer, request_bytes: bytes, status: int
) -> None:
    answer = raw(server, request_bytes)
    assert answer.startswith(b"HTTP/1.1 %d " % status)
    assert b"Connection: close" in answer
    assert b'"error"' in answer


def test_a_body_that_is_too_large_is_refused_and_not_billed(server: ModelServer) -> None:
    refused = chat(server, "lane", "x" * 3_000)
    assert refused.status_code == 413
    assert refused.json()["error"]["type"] == "invalid_request_error"
    assert server.runs() == ()


def test_a_caller_that_stops_in_the_middle_is_let_go() -> None:
    with ModelServer(echo, limits=Limits(transfer_s=0.02)) as server:
        assert raw(server, b"POST /lane/v1/responses HTTP/1.1\r\n") == b""


def test_a_connection_that_is_not_used_is_let_go() -> None:
    with ModelServer(echo, limits=Limits(idle_s=0.02)) as server:
        assert raw(server, b"") == b""


def test_a_connection_too_many_is_told_so() -> None:
    with ModelServer(echo, limits=Limits(connections=1)) as server:
        with socket.create_connection(address(server), timeout=5) as connection:
            connection.sendall(b"GET /meter HTTP/1.1\r\n\r\n")
            assert connection.recv(65_536).startswith(b"HTTP/1.1 200")
            assert get(f"{server.base_url}/meter").status_code == 503
        assert server.runs() == ()


# --- what is asked wrongly ---


@pytest.mark.parametrize(
    "path",
    ["/", "/v1/chat/completions", "/lane/v1/embeddings", "/lane/v1/chat/completions/", "/a b/v1"],
)
def test_an_unknown_path_is_answered_404_in_openais_words(server: ModelServer, path: str) -> None:
    answer = post(server.base_url + path, chat_body())
    assert answer.status_code == 404
    assert set(answer.json()["error"]) == {"message", "type", "param", "code"}


def test_a_run_has_a_plain_name(server: ModelServer) -> None:
    assert chat(server, "x" * 65).status_code == 404
    assert chat(server, "lane%2F").status_code == 404
    assert chat(server, "x" * 64).status_code == 200


def test_the_wrong_method_is_an_unknown_request(server: ModelServer) -> None:
    assert get(f"{server.url('lane')}/responses").status_code == 404


def test_the_models_are_listed(server: ModelServer) -> None:
    listed = get(f"{server.url('lane')}/models").json()
    assert [model["id"] for model in listed["data"]] == ["scripted-model"]


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"\xff", b"[" * 1_990, b'{"a":' * 300])
def test_a_body_that_is_no_json_object_is_refused(server: ModelServer, body: bytes) -> None:
    answer = post(f"{server.url('lane')}/chat/completions", body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "invalid_json")


def test_a_body_nested_too_deeply_is_refused_and_not_billed(server: ModelServer) -> None:
    def nested(levels: int) -> httpx.Response:
        deep = b"[" * levels + b"]" * levels
        body = b'{"model":"m","messages":[{"role":"user"}],"tools":[],"x":' + deep + b"}"
        return post(f"{server.url('lane')}/chat/completions", body)

    assert nested(100).status_code == 400
    assert server.runs() == ()
    assert nested(99).status_code == 200

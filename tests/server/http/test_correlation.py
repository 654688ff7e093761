"""Which request was it, and which trace did it belong to."""

import re

import pytest

from tests.server.http.conftest import Acme
from tests.support.served import Served

TRACE = "0af7651916cd43dd8448eb211c80319c"
OTHER = "11111111111111111111111111111111"
PARENT = f"00-{TRACE}-b7ad6b7169203331-01"


def trace_of(server: Served, **headers: str) -> str:
    with server.client(**headers) as client:
        return client.get("/healthz").headers["x-cycles-trace-id"]


def test_a_valid_traceparent_names_the_trace(server: Served) -> None:
    assert trace_of(server, traceparent=PARENT) == TRACE


def test_the_plain_header_names_the_trace(server: Served) -> None:
    assert trace_of(server, **{"X-Cycles-Trace-Id": OTHER}) == OTHER


def test_traceparent_wins_over_the_plain_header(server: Served) -> None:
    assert trace_of(server, traceparent=PARENT, **{"X-Cycles-Trace-Id": OTHER}) == TRACE


@pytest.mark.parametrize(
    "malformed",
    [
        "",
        "nonsense",
        f"01-{TRACE}-b7ad6b7169203331-01",
        f"00-{TRACE.upper()}-b7ad6b7169203331-01",
        f"00-{'0' * 32}-b7ad6b7169203331-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE}-b7ad6b7169203331-01-extra",
    ],
)
def test_a_malformed_traceparent_counts_as_absent(server: Served, malformed: str) -> None:
    assert trace_of(server, traceparent=malformed, **{"X-Cycles-Trace-Id": OTHER}) == OTHER


@pytest.mark.parametrize("malformed", ["", "0" * 32, TRACE.upper(), TRACE[1:], f"{TRACE}0", "ü"])
def test_a_malformed_trace_id_counts_as_absent(server: Served, malformed: str) -> None:
    with server.client() as client:
        answer = client.get("/healthz", headers={b"X-Cycles-Trace-Id": malformed.encode()})
    assert answer.status_code == 200
    assert re.fullmatch("[0-9a-f]{32}", answer.headers["x-cycles-trace-id"])
    assert answer.headers["x-cycles-trace-id"] != malformed


def test_every_request_has_an_id_of_its_own_whatever_the_client_says(server: Served) -> None:
    with server.client(**{"X-Request-Id": OTHER}) as client:
        ids = {client.get("/healthz").headers["x-request-id"] for _ in range(20)}
    assert len(ids) == 20
    assert OTHER not in ids


def test_the_trace_of_a_refusal_is_the_callers_too(acme: Acme) -> None:
    answer = acme.client.get("/v1/reservations/nope", headers={"traceparent": PARENT})
    assert (answer.status_code, answer.json()["trace_id"]) == (404, TRACE)

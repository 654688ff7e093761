import json

import httpx
import pytest

from runcycles.testing.model_server import Fault, FaultKind, ModelServer, Replies
from tests.core.testing.lanes import (
    StandingClock,
    caller,
    chat,
    chat_body,
    echo,
    events,
    get,
    respond,
    said,
)

TEXT = "long enough to need several events in a stream"


def test_a_call_is_refused_with_429_and_told_when_to_come_back() -> None:
    with ModelServer(echo, faults=["429@2=0.25"]) as server:
        assert [chat(server).status_code for _ in range(2)] == [200, 429]
        refused = chat(server, "other"), chat(server, "other")
    assert refused[1].headers["retry-after"] == "1"
    assert refused[1].headers["retry-after-ms"] == "250"
    assert refused[1].json()["error"]["code"] == "rate_limit_exceeded"


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, "invalid_request_error"),
        (401, "invalid_request_error"),
        (500, "server_error"),
        (599, "server_error"),
    ],
)
def test_a_call_is_refused_with_any_error_status(status: int, kind: str) -> None:
    with ModelServer(echo, faults=[f"{status}@1"]) as server:
        refused = chat(server)
    assert (refused.status_code, refused.json()["error"]["type"]) == (status, kind)
    assert "retry-after" not in refused.headers


def test_a_stream_is_refused_before_it_begins() -> None:
    with ModelServer(echo, faults=["500@1"]) as server:
        assert chat(server, stream=True).status_code == 500


def test_a_refused_call_is_counted_and_not_billed() -> None:
    with ModelServer(echo, faults=["500@1"]) as server:
        chat(server)
        chat(server)
        meter = server.meter("lane")
    assert (meter.requests, meter.billed_requests, meter.billed_microcents) == (2, 1, 1_000_000)
    assert [call.fault for call in meter.calls] == ["500", None]


@pytest.mark.parametrize("spec", ["drop@1", "malformed@1", "cut@1"])
def test_a_call_whose_reply_is_lost_is_billed(spec: str) -> None:
    with ModelServer(echo, faults=[spec]) as server:
        try:
            chat(server)
        except httpx.RemoteProtocolError:
            assert spec != "malformed@1"
        meter = server.meter("lane")
    assert meter.billed_microcents == 1_000_000
    assert meter.calls[0].fault == spec.removesuffix("@1")


@pytest.mark.parametrize("spec", ["500@2", "malformed@2"])
def test_who_asks_again_gets_the_answer_that_was_lost(spec: str) -> None:
    with ModelServer(Replies(["one", "two", "three"]), faults=[spec]) as server:
        first, _lost, again, last = (chat(server) for _ in range(4))
        meter = server.meter("lane")
    assert [said(answer) for answer in (first, again, last)] == ["one", "two", "three"]
    assert (meter.requests, meter.spoilt_requests) == (4, 1)


def test_a_dropped_call_gets_no_reply_and_the_next_one_does() -> None:
    with ModelServer(echo, faults=["drop@1"]) as server:
        with pytest.raises(httpx.RemoteProtocolError, match="without sending a response"):
            chat(server)
        assert chat(server).status_code == 200


def test_a_malformed_reply_is_a_good_status_around_half_a_document() -> None:
    with ModelServer(echo, faults=["malformed@1"]) as server:
        answer = chat(server)
    assert answer.status_code == 200
    with pytest.raises(json.JSONDecodeError):
        answer.json()


def test_a_malformed_stream_breaks_in_its_second_event() -> None:
    with ModelServer(echo, faults=["malformed@*"]) as server:
        answers = chat(server, stream=True), respond(server, stream=True)
    for answer in answers:
        assert answer.status_code == 200
        with pytest.raises(json.JSONDecodeError):
            events(answer)


def test_a_cut_document_is_shorter_than_it_said() -> None:
    with (
        ModelServer(echo, faults=["cut@1"]) as server,
        pytest.raises(httpx.RemoteProtocolError, match="complete message body"),
    ):
        chat(server)


def test_a_cut_stream_ends_after_so_many_events_without_its_end_mark() -> None:
    received: list[bytes] = []
    body = chat_body(TEXT, stream=True)
    with (
        ModelServer(echo, faults=["cut@1=3"]) as server,
        caller() as client,
        client.stream("POST", f"{server.url('lane')}/chat/completions", json=body) as answer,
        pytest.raises(httpx.RemoteProtocolError),
    ):
        received.extend(answer.iter_raw())
    assert sum(chunk.count(b"data: ") for chunk in received) == 3


def test_a_delay_comes_on_top_of_the_schedule_and_delays_add_up() -> None:
    clock = StandingClock()
    with ModelServer(
        echo, period_ms=10, clock=clock, faults=["delay@2=250", "lane:delay@*=1"]
    ) as server:
        assert [chat(server).status_code for _ in range(2)] == [200, 200]
    assert clock.waits == pytest.approx([0.011, 0.260])
    assert [call.fault for call in server.meter("lane").calls] == [None, None]


def test_a_delay_and_a_refusal_may_hit_the_same_call() -> None:
    clock = StandingClock()
    with ModelServer(echo, clock=clock, faults=["delay@1=250", "500@1"]) as server:
        assert chat(server).status_code == 500
    assert clock.waits == pytest.approx([0.250])


def test_of_two_ways_to_spoil_a_call_the_first_one_counts() -> None:
    with ModelServer(echo, faults=["503@1", "429@1"]) as server:
        assert chat(server).status_code == 503


def test_a_fault_may_concern_one_run_only() -> None:
    with ModelServer(echo, faults=["guarded:500@1"]) as server:
        assert chat(server, "guarded").status_code == 500
        assert chat(server, "unguarded").status_code == 200


def test_a_fault_may_come_back_every_so_often() -> None:
    with ModelServer(echo, faults=["500@every-3"]) as server:
        statuses = [chat(server).status_code for _ in range(6)]
    assert statuses == [200, 200, 500, 200, 200, 500]


def test_a_fault_may_hit_every_call_but_never_the_meter() -> None:
    with ModelServer(echo, faults=["500@*"]) as server:
        assert [chat(server).status_code for _ in range(2)] == [500, 500]
        assert get(f"{server.base_url}/meter").status_code == 200


def test_events_of_a_stream_may_come_apart() -> None:
    clock = StandingClock()
    with ModelServer(echo, chunk_ms=5, clock=clock) as server:
        answer = chat(server, "lane", TEXT, stream=True)
        assert len(clock.waits) == len(events(answer))  # one pause before each but the first
        assert set(clock.waits) == {0.005}
        assert said(chat(server)) == "hi"


@pytest.mark.parametrize(
    ("spec", "fault"),
    [
        ("429@3", Fault(kind=FaultKind.STATUS, call=3, status=429)),
        ("429@3=0.5", Fault(kind=FaultKind.STATUS, call=3, status=429, retry_after_s=0.5)),
        ("500@every-3", Fault(kind=FaultKind.STATUS, call=3, repeats=True)),
        ("lane:drop@7", Fault(kind=FaultKind.DROP, call=7, run="lane")),
        ("delay@*=250", Fault(kind=FaultKind.DELAY, delay_ms=250)),
        ("cut@2=5", Fault(kind=FaultKind.CUT, call=2, events=5)),
        ("malformed@2", Fault(kind=FaultKind.MALFORMED, call=2)),
    ],
)
def test_a_fault_has_a_written_form(spec: str, fault: Fault) -> None:
    assert Fault.parse(spec) == fault


@pytest.mark.parametrize(
    "spec",
    ["", "500", "200@1", "500@0", "drop@", "drop@1=2", "malformed@1=2", "delay@3", "drop@every-*",
     "a/b:drop@1", "cut@1=-1", "429@1=soon"],
)  # fmt: skip
def test_what_is_not_a_fault_is_an_error_at_the_start(spec: str) -> None:
    with pytest.raises(ValueError, match=r"fault|value|milliseconds"):
        ModelServer(echo, faults=[spec])


def test_a_fault_is_checked_when_it_is_made() -> None:
    with pytest.raises(ValueError, match="400 to 599"):
        Fault(kind=FaultKind.STATUS, status=200)
    with pytest.raises(ValueError, match="counted from 1"):
        Fault(kind=FaultKind.DROP, call=0)
    with pytest.raises(ValueError, match="zero or more"):
        Fault(kind=FaultKind.CUT, events=-1)

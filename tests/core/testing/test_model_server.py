import contextlib
import random
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from runcycles.testing.model_server import (
    TOKENS,
    ModelRequest,
    ModelServer,
    Price,
    RefineLoop,
    Replies,
    Reply,
)
from tests.core.testing.lanes import (
    HELLO,
    Gate,
    StandingClock,
    address,
    caller,
    chat,
    chat_body,
    echo,
    get,
    raw_post,
    said,
)

CENT = 1_000_000


@pytest.fixture
def server() -> Iterator[ModelServer]:
    with ModelServer(echo) as server:
        yield server


# --- the bill ---


def test_a_call_costs_one_cent_unless_told_otherwise(server: ModelServer) -> None:
    assert said(chat(server, "lane", "good morning")) == "good morning"
    meter = server.meter("lane")
    assert (meter.requests, meter.billed_requests, meter.billed_microcents) == (1, 1, CENT)


def test_a_thousand_tokens_in_and_two_hundred_out_cost_one_cent() -> None:
    with ModelServer(Replies(["y" * 800]), price=TOKENS) as server:
        usage = chat(server, "lane", "x" * 3_999).json()["usage"]
        meter = server.meter("lane")
    assert (usage["prompt_tokens"], usage["completion_tokens"]) == (1_000, 200)
    assert meter.billed_microcents == CENT
    assert (meter.prompt_tokens, meter.completion_tokens) == (1_000, 200)


def test_every_run_has_its_own_bill(server: ModelServer) -> None:
    for run in ("left", "right", "right"):
        chat(server, run)
    assert server.runs() == ("left", "right")
    assert [server.meter(run).requests for run in server.runs()] == [1, 2]


def test_a_run_that_asked_nothing_has_spent_nothing(server: ModelServer) -> None:
    meter = server.meter("nobody")
    assert (meter.requests, meter.billed_microcents, meter.first_at) == (0, 0, None)


def test_a_call_is_billed_before_it_is_answered_even_if_its_caller_has_gone() -> None:
    gate = Gate()
    server = ModelServer(echo, clock=gate, period_ms=12)
    with server, socket.create_connection(address(server), timeout=5) as connection:
        connection.sendall(raw_post("/lane/v1/chat/completions", HELLO))
        gate.wait_for_a_call()
        assert server.meter("lane").billed_microcents == CENT
    assert server.meter("lane").billed_microcents == CENT


def test_half_a_request_is_not_billed(server: ModelServer) -> None:
    with socket.create_connection(address(server), timeout=5) as connection:
        connection.sendall(raw_post("/lane/v1/chat/completions", b'{"model":')[:-4])
        connection.shutdown(socket.SHUT_WR)
        assert connection.recv(1) == b""
    assert server.runs() == ()


def test_the_meter_tells_over_http_what_it_tells_in_process(server: ModelServer) -> None:
    chat(server, "left")
    chat(server, "left")
    told = get(f"{server.base_url}/meter?calls=1").json()["runs"]["left"]
    meter = server.meter("left")
    assert told["requests"] == meter.requests == 2
    assert told["billed_microcents"] == meter.billed_microcents
    assert (told["first_at"], told["last_at"]) == (meter.first_at, meter.last_at)
    assert [call["body"] for call in told["calls"]] == list(meter.bodies[:1])


def test_the_meter_lists_no_calls_unless_asked(server: ModelServer) -> None:
    chat(server, "left")
    assert get(f"{server.base_url}/meter").json()["runs"]["left"]["calls"] == []


@pytest.mark.parametrize("calls", ["some", "-1", "1.5"])
def test_the_meter_refuses_a_number_of_calls_that_is_none(server: ModelServer, calls: str) -> None:
    assert get(f"{server.base_url}/meter?calls={calls}").status_code == 400


def test_two_lanes_of_one_agent_send_equal_bodies_once_ids_are_removed(
    server: ModelServer,
) -> None:
    for run, label in (("left", "a"), ("right", "b")):
        call = {"id": f"call_{label}", "type": "function", "function": {"name": "f"}}
        messages = [
            {"role": "assistant", "content": None, "tool_calls": [call]},
            {"role": "tool", "tool_call_id": f"call_{label}", "content": "42"},
        ]
        chat(server, run, messages=messages, user=label, metadata={"trace": label})
    assert server.meter("left").bodies == server.meter("right").bodies


def test_two_lanes_that_say_different_things_send_different_bodies(server: ModelServer) -> None:
    chat(server, "left", "yes")
    chat(server, "right", "no")
    assert server.meter("left").bodies != server.meter("right").bodies


def test_the_id_among_a_tools_parameters_is_not_mistaken_for_an_id(server: ModelServer) -> None:
    for run, name in (("left", "id"), ("right", "user")):
        function = {"name": "f", "parameters": {"properties": {name: {"type": "string"}}}}
        chat(server, run, tools=[{"type": "function", "function": function}])
    assert server.meter("left").bodies != server.meter("right").bodies


def test_no_call_of_many_threads_is_lost_or_counted_twice(server: ModelServer) -> None:
    def worker(_: int) -> list[str]:
        with caller() as client:
            url = f"{server.url('swarm')}/chat/completions"
            return [client.post(url, json=chat_body()).headers["x-request-id"] for _ in range(25)]

    with ThreadPoolExecutor(8) as pool:
        ids = [name for names in pool.map(worker, range(8)) for name in names]
    assert len(set(ids)) == 200
    assert server.meter("swarm").billed_microcents == 200 * CENT


def test_there_is_an_end_to_the_runs_that_a_meter_keeps(
    server: ModelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runcycles.testing.model_server.meter.MAX_RUNS", 1)
    assert chat(server, "first").status_code == 200
    assert chat(server, "second").status_code == 503
    assert chat(server, "first").status_code == 200
    assert server.runs() == ("first",)


def test_calls_beyond_those_that_are_kept_are_billed_all_the_same(
    server: ModelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runcycles.testing.model_server.meter.MAX_CALLS_KEPT", 1)
    chat(server)
    chat(server)
    meter = server.meter("lane")
    assert (len(meter.calls), meter.requests, meter.billed_microcents) == (1, 2, 2 * CENT)


# --- the pace ---


def test_call_k_is_answered_k_periods_after_the_run_began() -> None:
    clock = StandingClock()
    with ModelServer(echo, period_ms=12, clock=clock) as server:
        for _ in range(3):
            chat(server)
    assert clock.waits == pytest.approx([0.012, 0.012, 0.012])
    assert [call.due_at for call in server.meter("lane").calls] == pytest.approx(
        [1_000.012, 1_000.024, 1_000.036]
    )


def test_a_late_call_is_answered_at_once_until_the_run_has_caught_up() -> None:
    clock = StandingClock()
    with ModelServer(echo, period_ms=12, clock=clock) as server:
        chat(server)
        clock.time += 0.030  # call 2 and call 3 were due in this time
        for _ in range(3):
            chat(server)
    assert clock.waits == pytest.approx([0.012, 0.006])


def test_the_pace_of_one_run_is_not_that_of_another() -> None:
    clock = StandingClock()
    with ModelServer(echo, period_ms=12, clock=clock) as server:
        chat(server, "left")
        clock.time += 5
        chat(server, "right")
    (call,) = server.meter("right").calls
    assert call.due_at - call.at == pytest.approx(0.012)


def test_on_the_machines_own_clock_no_answer_comes_before_it_is_due() -> None:
    with ModelServer(echo, period_ms=3) as server, caller() as client:
        for _ in range(5):
            client.post(f"{server.url('lane')}/chat/completions", json=chat_body())
            now = get(f"{server.base_url}/meter").json()["now"]
            assert now >= server.meter("lane").calls[-1].due_at


def test_a_negative_period_is_refused() -> None:
    with pytest.raises(ValueError, match="period_ms"):
        ModelServer(echo, period_ms=-1)


# --- a server's life ---


def test_closing_ends_the_thread_and_the_connections_but_not_the_meter() -> None:
    gate = Gate()
    server = ModelServer(echo, clock=gate, period_ms=12).start()
    with (
        socket.create_connection(address(server), timeout=5) as idle,
        socket.create_connection(address(server), timeout=5) as waiting,
    ):
        waiting.sendall(raw_post("/lane/v1/chat/completions", HELLO))
        gate.wait_for_a_call()
        server.close()
        assert hung_up(waiting)
        assert hung_up(idle)
    server.close()
    assert "model-server" not in {thread.name for thread in threading.enumerate()}
    assert server.meter("lane").requests == 1


def hung_up(connection: socket.socket) -> bool:
    """Read to the end; only a connection that has one gets there before the time-out."""
    with contextlib.suppress(ConnectionResetError):
        while connection.recv(65_536):
            pass
    return True


def test_a_script_that_does_not_return_is_named_when_the_server_cannot_close(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("runcycles.testing.model_server.server._STOP_S", 0.01)
    entered, leave = threading.Event(), threading.Event()

    def stuck(request: ModelRequest, call: int, rng: random.Random, /) -> Reply:
        entered.set()
        assert leave.wait(5)
        return Reply()

    server = ModelServer(stuck).start()
    with socket.create_connection(address(server), timeout=5) as connection:
        connection.sendall(raw_post("/lane/v1/chat/completions", HELLO))
        assert entered.wait(5)
        with pytest.raises(RuntimeError, match="does its script return"):
            server.close()
        leave.set()
        assert hung_up(connection)
        server.close()


def test_a_server_that_was_not_started_has_no_address() -> None:
    server = ModelServer(echo)
    with pytest.raises(RuntimeError, match="not been started"):
        server.url("lane")
    server.close()


def test_a_server_starts_once() -> None:
    with ModelServer(echo) as server, pytest.raises(RuntimeError, match="once"):
        server.start()


def test_a_port_that_is_taken_is_an_error_at_the_start() -> None:
    with ModelServer(echo) as first, pytest.raises(OSError, match="in use"):
        ModelServer(echo, port=address(first)[1]).start()


def test_a_flat_price_can_be_another() -> None:
    with ModelServer(RefineLoop(), price=Price(per_request=2 * CENT)) as server:
        chat(server, "lane", "draft a reply")
        assert server.meter("lane").billed_microcents == 2 * CENT


def test_a_script_may_count_tokens_itself() -> None:
    reply = Reply(text="x", prompt_tokens=1_000, completion_tokens=200)
    with ModelServer(Replies([reply]), price=TOKENS) as server:
        chat(server)
        assert server.meter("lane").billed_microcents == CENT

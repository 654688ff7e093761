from collections.abc import Iterator

import pytest

from runcycles.testing.model_server import ModelServer, Replies, Reply
from tests.core.testing.lanes import (
    LONG,
    ROME,
    TALKER,
    Json,
    caller,
    chat,
    echo,
    events,
    post,
    respond,
)


@pytest.fixture
def server() -> Iterator[ModelServer]:
    with ModelServer(TALKER) as server:
        yield server


@pytest.fixture
def parrot() -> Iterator[ModelServer]:
    with ModelServer(echo) as server:
        yield server


def kinds(told: list[Json]) -> list[str]:
    """Return the kinds of events, each series of deltas once."""
    names = [str(event["type"]) for event in told]
    return [name for at, name in enumerate(names) if at == 0 or names[at - 1] != name]


def test_a_response_holds_text(server: ModelServer) -> None:
    answer = respond(server, instructions="be brief", temperature=0.0).json()
    (item,) = answer["output"]
    assert (item["type"], item["role"], item["content"][0]["text"]) == (
        "message",
        "assistant",
        LONG,
    )
    assert (answer["object"], answer["status"], answer["model"]) == ("response", "completed", "m")
    assert (answer["instructions"], answer["temperature"]) == ("be brief", 0.0)


def test_a_response_holds_parallel_function_calls(server: ModelServer) -> None:
    respond(server)
    output = respond(server).json()["output"]
    assert [item["type"] for item in output] == ["function_call", "function_call"]
    assert [item["call_id"] for item in output] == ["call_2_0", "chosen"]
    assert output[0]["arguments"] == '{"city":"Rome","days":3}'


def test_response_usage_tells_cached_and_reasoning_tokens() -> None:
    reply = Reply(text="four", prompt_tokens=9, cached_tokens=8, reasoning_tokens=5)
    with ModelServer(Replies([reply])) as server:
        usage = respond(server).json()["usage"]
    assert usage == {
        "input_tokens": 9,
        "input_tokens_details": {"cached_tokens": 8, "cache_write_tokens": 0},
        "output_tokens": 6,
        "output_tokens_details": {"reasoning_tokens": 5},
        "total_tokens": 15,
    }


def test_a_response_stream_with_text_comes_in_the_services_order(server: ModelServer) -> None:
    answer = respond(server, stream=True)
    told = events(answer)
    assert kinds(told) == [
        "response.created",
        "response.in_progress",
        "response.output_item.added",
        "response.content_part.added",
        "response.output_text.delta",
        "response.output_text.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.completed",
    ]
    assert [event["sequence_number"] for event in told] == list(range(len(told)))
    deltas = [str(e["delta"]) for e in told if e["type"] == "response.output_text.delta"]
    assert len(deltas) > 1
    assert "".join(deltas) == LONG
    named = [line[7:] for line in answer.text.splitlines() if line.startswith("event: ")]
    assert named == [event["type"] for event in told]


def test_a_response_stream_ends_with_the_document_a_plain_call_gets(server: ModelServer) -> None:
    streamed = events(respond(server, "streamed", stream=True))[-1]["response"]
    assert streamed == respond(server, "plain").json()


def test_a_response_stream_tells_each_function_call_in_turn(server: ModelServer) -> None:
    respond(server)
    told = events(respond(server, stream=True))
    one_call = [
        "response.output_item.added",
        "response.function_call_arguments.delta",
        "response.function_call_arguments.done",
        "response.output_item.done",
    ]
    assert kinds(told) == [
        "response.created",
        "response.in_progress",
        *one_call,
        *one_call,
        "response.completed",
    ]
    done = [e for e in told if e["type"] == "response.function_call_arguments.done"]
    assert [(e["output_index"], e["arguments"]) for e in done] == [
        (0, '{"city":"Rome","days":3}'),
        (1, '{"city":"Oslo"}'),
    ]


def test_text_comes_before_the_tool_calls_of_the_same_answer() -> None:
    with ModelServer(Replies([Reply(text="Let me look.", tool_calls=(ROME,))])) as server:
        told = events(respond(server, "streamed", stream=True))
        plain = respond(server, "plain").json()
        message = chat(server, "chat").json()["choices"][0]["message"]
    added = [e["output_index"] for e in told if e["type"] == "response.output_item.added"]
    assert added == [0, 1]
    assert [item["type"] for item in plain["output"]] == ["message", "function_call"]
    assert (message["content"], len(message["tool_calls"])) == ("Let me look.", 1)


def test_a_response_that_reaches_the_callers_limit_is_incomplete(server: ModelServer) -> None:
    plain = respond(server, "plain", max_output_tokens=5).json()
    assert (plain["status"], plain["incomplete_details"]) == (
        "incomplete",
        {"reason": "max_output_tokens"},
    )
    told = events(respond(server, "streamed", max_output_tokens=5, stream=True))
    assert told[-1]["type"] == "response.incomplete"


def test_a_response_request_may_carry_a_whole_conversation(parrot: ModelServer) -> None:
    conversation = [
        {"role": "user", "content": [{"type": "input_text", "text": "weather?"}]},
        {"type": "reasoning", "summary": []},
        {"type": "function_call", "call_id": "c", "name": "weather", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c", "output": "sun"},
    ]
    answer = respond(parrot, input=conversation).json()
    assert answer["output"][0]["content"][0]["text"] == "sun"
    assert answer["usage"]["input_tokens"] == 5  # 8 + 7 + 2 + 3 characters


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"model": "m"}, "input"),
        ({"model": "m", "input": []}, "input"),
        ({"model": "m", "input": 7}, "input"),
        ({"input": "hi"}, "model"),
        ({"model": "m", "input": ["hi"]}, "input[0]"),
        ({"model": "m", "input": [{"content": "hi"}]}, "input[0].role"),
        ({"model": "m", "input": [{"type": "function_call_output"}]}, "input[0].call_id"),
        ({"model": "m", "input": [{"type": "function_call", "call_id": "c"}]}, "input[0].name"),
        ({"model": "m", "input": "hi", "previous_response_id": "r"}, "previous_response_id"),
        ({"model": "m", "input": "hi", "conversation": "c"}, "conversation"),
        ({"model": "m", "input": "hi", "instructions": 7}, "instructions"),
        ({"model": "m", "input": "hi", "tools": [{"type": "function"}]}, "tools[0].name"),
        ({"model": "m", "input": "hi", "tools": [{}]}, "tools[0].type"),
        ({"model": "m", "input": "hi", "max_output_tokens": "9"}, "max_output_tokens"),
    ],
)
def test_a_response_request_that_lacks_something_is_refused_by_name(
    parrot: ModelServer, body: Json, param: str
) -> None:
    refused = post(f"{parrot.url('lane')}/responses", body)
    assert (refused.status_code, refused.json()["error"]["param"]) == (400, param)
    assert parrot.runs() == ()


# --- as in Chat Completions ---


def test_one_script_gives_the_same_bytes_every_time(server: ModelServer) -> None:
    assert chat(server, "left").content == chat(server, "right").content
    assert respond(server, "a", stream=True).content == respond(server, "b", stream=True).content


def test_every_answer_names_its_request(server: ModelServer) -> None:
    whole, stream = chat(server, "lane"), chat(server, "lane", stream=True)
    assert [a.headers["x-request-id"] for a in (whole, stream)] == ["req-lane-1", "req-lane-2"]


def test_a_connection_lives_on_after_a_stream(server: ModelServer) -> None:
    with caller() as client:
        url = f"{server.url('lane')}/responses"
        streams = [
            client.post(url, json={"model": "m", "input": "hi", "stream": True}) for _ in range(2)
        ]
        ports = {s.extensions["network_stream"].get_extra_info("client_addr") for s in streams}
    assert len(ports) == 1

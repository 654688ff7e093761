from collections.abc import Iterator

import pytest

from runcycles.testing.model_server import ModelServer, Replies, Reply
from tests.core.testing.lanes import LONG, TALKER, Json, chat, echo, events, post, said


@pytest.fixture
def server() -> Iterator[ModelServer]:
    with ModelServer(TALKER) as server:
        yield server


@pytest.fixture
def parrot() -> Iterator[ModelServer]:
    with ModelServer(echo) as server:
        yield server


def test_a_chat_answer_holds_text_and_says_why_it_ended(server: ModelServer) -> None:
    answer = chat(server).json()
    (choice,) = answer["choices"]
    assert (choice["message"]["role"], choice["message"]["content"]) == ("assistant", LONG)
    assert choice["finish_reason"] == "stop"
    assert "tool_calls" not in choice["message"]
    assert (answer["object"], answer["model"]) == ("chat.completion", "m")


def test_a_chat_answer_holds_parallel_tool_calls(server: ModelServer) -> None:
    chat(server)
    (choice,) = chat(server).json()["choices"]
    assert choice["finish_reason"] == "tool_calls"
    assert choice["message"]["content"] is None
    assert choice["message"]["tool_calls"] == [
        {
            "id": "call_2_0",
            "type": "function",
            "function": {"name": "weather", "arguments": '{"city":"Rome","days":3}'},
        },
        {
            "id": "chosen",
            "type": "function",
            "function": {"name": "weather", "arguments": '{"city":"Oslo"}'},
        },
    ]


def test_chat_usage_tells_cached_and_reasoning_tokens() -> None:
    reply = Reply(
        text="x",
        prompt_tokens=100,
        completion_tokens=50,
        cached_tokens=64,
        reasoning_tokens=30,
    )
    with ModelServer(Replies([reply])) as server:
        usage = chat(server).json()["usage"]
        meter = server.meter("lane")
    assert (usage["prompt_tokens"], usage["completion_tokens"], usage["total_tokens"]) == (
        100,
        50,
        150,
    )
    assert usage["prompt_tokens_details"]["cached_tokens"] == 64
    assert usage["completion_tokens_details"]["reasoning_tokens"] == 30
    assert (meter.cached_tokens, meter.reasoning_tokens) == (64, 30)


def test_a_chat_stream_tells_the_text_in_pieces_and_usage_when_asked(server: ModelServer) -> None:
    answer = chat(server, stream=True, stream_options={"include_usage": True})
    *chunks, end, usage = events(answer)
    assert answer.headers["content-type"] == "text/event-stream"
    assert answer.text.endswith("data: [DONE]\n\n")
    deltas = [chunk["choices"][0]["delta"] for chunk in chunks]  # type: ignore[index]  # JSON
    assert deltas[0]["role"] == "assistant"
    assert "".join(delta["content"] for delta in deltas) == LONG
    assert len(deltas) > 2
    assert end["choices"] == [{"index": 0, "delta": {}, "logprobs": None, "finish_reason": "stop"}]
    assert all(chunk["usage"] is None for chunk in [*chunks, end])
    assert usage["choices"] == []
    assert usage["usage"]["total_tokens"] == 1 + 14  # type: ignore[index]  # JSON


def test_a_chat_stream_is_silent_about_usage_unless_asked(server: ModelServer) -> None:
    told = events(chat(server, stream=True))
    assert all("usage" not in chunk and chunk["choices"] for chunk in told)


def test_a_chat_stream_tells_parallel_tool_calls_in_pieces(server: ModelServer) -> None:
    chat(server)
    names: dict[int, str] = {}
    arguments = {0: "", 1: ""}
    for chunk in events(chat(server, stream=True)):
        for call in chunk["choices"][0]["delta"].get("tool_calls", []):  # type: ignore[index]  # JSON
            arguments[call["index"]] += call["function"]["arguments"]
            if "id" in call:
                names[call["index"]] = call["id"]
    assert names == {0: "call_2_0", 1: "chosen"}
    assert arguments == {0: '{"city":"Rome","days":3}', 1: '{"city":"Oslo"}'}


def test_text_in_parts_is_read_and_images_are_left_out(parrot: ModelServer) -> None:
    image = {"type": "image_url", "image_url": {"url": "data:,"}}
    parts = [{"type": "text", "text": "one "}, image, {"type": "text", "text": "two"}]
    assert said(chat(parrot, messages=[{"role": "user", "content": parts}])) == "one two"


def test_a_chat_answer_stops_at_the_callers_limit(server: ModelServer) -> None:
    answer = chat(server, max_completion_tokens=5).json()
    assert answer["choices"][0]["finish_reason"] == "length"
    assert answer["choices"][0]["message"]["content"] == LONG[:20]
    assert answer["usage"]["completion_tokens"] == 5


def test_tool_calls_and_their_results_count_as_prompt(parrot: ModelServer) -> None:
    function = {"name": "weather", "arguments": '{"a":1}'}  # 7 + 7 characters
    call = {"id": "c", "type": "function", "function": function}
    messages = [
        {"role": "assistant", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c", "content": "sun"},
    ]
    assert chat(parrot, messages=messages).json()["usage"]["prompt_tokens"] == 5


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"messages": [{"role": "user", "content": "hi"}]}, "model"),
        ({"model": 7, "messages": [{"role": "user", "content": "hi"}]}, "model"),
        ({"model": "m"}, "messages"),
        ({"model": "m", "messages": []}, "messages"),
        ({"model": "m", "messages": "hi"}, "messages"),
        ({"model": "m", "messages": ["hi"]}, "messages[0]"),
        ({"model": "m", "messages": [{"content": "hi"}]}, "messages[0].role"),
        ({"model": "m", "messages": [{"role": "user", "content": 7}]}, "messages[0].content"),
        ({"model": "m", "messages": [{"role": "user", "content": ["x"]}]}, "messages[0].content"),
        (
            {
                "model": "m",
                "messages": [{"role": "user", "content": [{"type": "text", "text": 7}]}],
            },
            "messages[0].content",
        ),
        ({"model": "m", "messages": [{"role": "tool"}]}, "messages[0].tool_call_id"),
        (
            {"model": "m", "messages": [{"role": "assistant", "tool_calls": [{"id": "c"}]}]},
            "messages[0].tool_calls[0]",
        ),
        ({"model": "m", "messages": [{"role": "user"}], "n": 2}, "n"),
        ({"model": "m", "messages": [{"role": "user"}], "max_tokens": 0}, "max_tokens"),
        ({"model": "m", "messages": [{"role": "user"}], "max_tokens": True}, "max_tokens"),
        ({"model": "m", "messages": [{"role": "user"}], "tools": [{"type": "x"}]}, "tools[0]"),
    ],
)
def test_a_chat_request_that_lacks_something_is_refused_by_name_and_not_billed(
    parrot: ModelServer, body: Json, param: str
) -> None:
    refused = post(f"{parrot.url('lane')}/chat/completions", body)
    error = refused.json()["error"]
    assert (refused.status_code, error["type"]) == (400, "invalid_request_error")
    assert error["param"] == param
    assert parrot.runs() == ()

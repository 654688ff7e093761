import random
from collections import Counter

import pytest

from runcycles.testing.model_server import (
    Message,
    ModelRequest,
    ModelServer,
    RefineLoop,
    Replies,
    Reply,
    ScriptError,
    ToolCall,
    count_tokens,
)
from tests.core.testing.lanes import Json, chat, echo, respond, said


def step(system: str, user: str = "ticket #4782") -> list[Json]:
    return [{"role": "system", "content": system}, {"role": "user", "content": user}]


def asked(system: str, user: str = "ticket #4782") -> ModelRequest:
    messages = (Message(role="system", text=system), Message(role="user", text=user))
    return ModelRequest(model="m", messages=messages)


def score(reply: Reply) -> float:
    first, _, remark = reply.text.partition("\n")
    assert remark
    return float(first.removeprefix("Score: "))


# --- the refine loop ---


def test_no_score_ever_reaches_the_threshold_and_all_of_them_occur() -> None:
    script, rng = RefineLoop(), random.Random(4782)
    scores = Counter(score(script(asked("evaluate"), 2, rng)) for _ in range(3_000))
    assert sorted(scores) == [tenths / 10 for tenths in range(55, 70)]
    assert min(scores.values()) > 100  # 200 is what to expect of an even draw


def test_a_draft_is_refined_into_something_longer() -> None:
    script, rng = RefineLoop(), random.Random(1)
    draft = script(asked("draft"), 1, rng).text
    refined = script(asked("refine"), 3, rng).text
    assert refined.startswith(draft)
    assert len(refined) > len(draft)


@pytest.mark.parametrize(
    ("system", "user", "scored"),
    [
        ("draft-response", "", False),
        ("You evaluate a draft.", "", True),
        ("Evaluation of refinements", "", True),
        ("Refine the draft after its evaluation.", "", False),
        ("You help customers.", "Evaluate this draft.", True),
        ("DRAFT", "evaluate", False),
    ],
)
def test_the_step_is_the_first_one_that_is_named(system: str, user: str, scored: bool) -> None:
    reply = RefineLoop()(asked(system, user), 1, random.Random(1))
    assert reply.text.startswith("Score: ") == scored


def test_a_prompt_that_names_no_step_is_an_error() -> None:
    with pytest.raises(ScriptError, match="names none"):
        RefineLoop()(asked("be nice", "hello"), 1, random.Random(1))


def test_two_lanes_are_scored_alike_and_two_seeds_are_not() -> None:
    def scores(seed: int, run: str) -> list[str]:
        with ModelServer(RefineLoop(), seed=seed) as server:
            return [said(chat(server, run, messages=step("evaluate"))) for _ in range(10)]

    assert scores(4782, "left") == scores(4782, "right")
    assert scores(4782, "left") != scores(1, "left")


def test_what_one_call_draws_does_not_move_the_next() -> None:
    def last(first: str) -> str:
        with ModelServer(RefineLoop()) as server:
            chat(server, messages=step(first))
            return said(chat(server, messages=step("evaluate")))

    assert last("draft") == last("evaluate")


def test_both_dialects_get_the_same_score() -> None:
    with ModelServer(RefineLoop()) as server:
        chatted = said(chat(server, "chat", messages=step("evaluate")))
        responded = respond(server, "responses", instructions="evaluate").json()
    assert responded["output"][0]["content"][0]["text"] == chatted


# --- a list of replies ---


def test_replies_come_in_order_and_for_each_run_anew() -> None:
    with ModelServer(Replies(["one", Reply(text="two")])) as server:
        assert [said(chat(server, run)) for run in ("a", "a", "b")] == ["one", "two", "one"]


def test_a_script_that_is_at_its_end_answers_an_error_that_is_not_retried_nor_billed() -> None:
    with ModelServer(Replies(["one"])) as server:
        chat(server)
        failed = chat(server)
        meter = server.meter("lane")
    assert (failed.status_code, failed.json()["error"]["code"]) == (500, "script_error")
    assert "1 replies" in failed.json()["error"]["message"]
    assert failed.headers["x-should-retry"] == "false"
    assert (meter.requests, meter.billed_requests) == (2, 1)
    assert meter.calls[1].fault == "script_error"


def test_the_last_reply_may_be_repeated_for_ever() -> None:
    with ModelServer(Replies(["one", "two"], then="repeat")) as server:
        assert [said(chat(server)) for _ in range(4)] == ["one", "two", "two", "two"]


def test_no_replies_are_no_script() -> None:
    with pytest.raises(ValueError, match="at least one"):
        Replies([])


# --- a script of one's own ---


def weather(request: ModelRequest, call: int, rng: random.Random, /) -> Reply:
    """Ask for the weather until a tool has told it."""
    if request.last.role == "tool":
        return Reply(text=f"It is {request.last.text}.")
    return Reply(tool_calls=(ToolCall(name=request.tools[0], arguments={"call": call}),))


def test_a_function_may_branch_on_the_result_of_a_tool() -> None:
    tools = [{"type": "function", "function": {"name": "look"}}]
    with ModelServer(weather) as server:
        message = chat(server, tools=tools).json()["choices"][0]["message"]
        (call,) = message["tool_calls"]
        result = {"role": "tool", "tool_call_id": call["id"], "content": "sunny"}
        answer = chat(server, tools=tools, messages=[message, result])
    assert call["function"] == {"name": "look", "arguments": '{"call":1}'}
    assert said(answer) == "It is sunny."


def test_arguments_that_are_not_json_are_sent_as_they_are() -> None:
    broken = Reply(tool_calls=(ToolCall(name="look", arguments='{"city": '),))
    with ModelServer(Replies([broken])) as server:
        message = chat(server).json()["choices"][0]["message"]
    assert message["tool_calls"][0]["function"]["arguments"] == '{"city": '


def test_hosted_tools_are_known_by_their_type() -> None:
    seen: list[tuple[str, ...]] = []

    def spy(request: ModelRequest, call: int, rng: random.Random, /) -> Reply:
        seen.append(request.tools)
        return Reply()

    with ModelServer(spy) as server:
        tools = [{"type": "web_search"}, {"type": "function", "name": "look"}]
        assert respond(server, tools=tools).status_code == 200
    assert seen == [("web_search", "look")]


def test_a_script_that_breaks_answers_500_and_the_server_lives_on(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def broken(request: ModelRequest, call: int, rng: random.Random, /) -> Reply:
        if request.last.text == "break":
            raise KeyError("a mistake in the script")
        return Reply(text="fine")

    with ModelServer(broken) as server:
        failed = chat(server, "lane", "break")
        assert said(chat(server)) == "fine"
    assert (failed.status_code, failed.json()["error"]["type"]) == (500, "server_error")
    assert "a mistake in the script" in caplog.text


@pytest.mark.parametrize(
    "reply",
    [
        Reply(prompt_tokens=1, cached_tokens=2),
        Reply(completion_tokens=1, reasoning_tokens=2),
        Reply(prompt_tokens=-1),
    ],
)
def test_token_counts_that_cannot_be_are_an_error_of_the_script(reply: Reply) -> None:
    with ModelServer(Replies([reply])) as server:
        assert chat(server).json()["error"]["code"] == "script_error"


# --- tokens ---


@pytest.mark.parametrize(("chars", "tokens"), [(0, 0), (1, 1), (4, 1), (5, 2), (4_000, 1_000)])
def test_a_token_is_four_characters_or_what_is_left(chars: int, tokens: int) -> None:
    assert count_tokens(chars) == tokens


def test_a_scripted_count_above_the_callers_limit_is_cut_to_it() -> None:
    with ModelServer(Replies([Reply(text="x", completion_tokens=200)])) as server:
        answer = chat(server, max_tokens=150).json()
    assert answer["usage"]["completion_tokens"] == 150
    assert answer["choices"][0]["finish_reason"] == "length"


def test_thinking_takes_its_share_of_the_callers_limit() -> None:
    with ModelServer(Replies([Reply(text="x" * 40, reasoning_tokens=8)])) as server:
        answer = chat(server, max_tokens=10).json()
    assert len(answer["choices"][0]["message"]["content"]) == 8
    assert answer["usage"]["completion_tokens"] == 10


def test_a_reply_within_the_callers_limit_is_whole() -> None:
    with ModelServer(echo) as server:
        answer = chat(server, "lane", "x" * 40, max_tokens=10).json()
    assert answer["choices"][0]["finish_reason"] == "stop"

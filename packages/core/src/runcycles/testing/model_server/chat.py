"""The Chat Completions dialect: its request, its document, its stream of chunks."""

from collections.abc import Iterator, Mapping

from runcycles.testing.model_server.requests import (
    BadRequestError,
    Message,
    ModelRequest,
    ToolCall,
    read_count,
    read_objects,
    read_string,
    read_text,
)
from runcycles.testing.model_server.scripts import Completion, Tokens
from runcycles.testing.model_server.sse import CREATED, DONE, data_event, pieces


def read_request(body: Mapping[str, object]) -> ModelRequest:
    """Read a Chat Completions request.

    Raises:
        BadRequestError: the real service would not take it, or this one cannot.
    """
    model = read_string(body, "model", "model")
    messages = tuple(
        _message(item, at) for at, item in read_objects(body.get("messages"), "messages")
    )
    if not messages:
        raise BadRequestError("'messages' must not be empty.", param="messages")
    if body.get("n") not in (None, 1):
        raise BadRequestError("This server makes one choice.", param="n")
    options = body.get("stream_options")
    return ModelRequest(
        model=model,
        messages=messages,
        tools=tuple(_tool(item, at) for at, item in read_objects(body.get("tools"), "tools")),
        max_tokens=read_count(body, "max_completion_tokens") or read_count(body, "max_tokens"),
        stream=body.get("stream") is True,
        include_usage=isinstance(options, dict) and options.get("include_usage") is True,
        body=body,
    )


def _message(item: Mapping[str, object], at: str) -> Message:
    role = read_string(item, "role", f"{at}.role")
    tool_call_id = (
        read_string(item, "tool_call_id", f"{at}.tool_call_id") if role == "tool" else None
    )
    return Message(
        role=role,
        text=read_text(item.get("content"), f"{at}.content"),
        tool_calls=tuple(
            _tool_call(call, place)
            for place, call in read_objects(item.get("tool_calls"), f"{at}.tool_calls")
        ),
        tool_call_id=tool_call_id,
    )


def _tool_call(item: Mapping[str, object], at: str) -> ToolCall:
    function = _function(item, at)
    arguments = function.get("arguments")
    return ToolCall(
        name=read_string(function, "name", f"{at}.function.name"),
        arguments=arguments if isinstance(arguments, str) else "",
        id=read_string(item, "id", f"{at}.id"),
    )


def _tool(item: Mapping[str, object], at: str) -> str:
    return read_string(_function(item, at), "name", f"{at}.function.name")


def _function(item: Mapping[str, object], at: str) -> Mapping[str, object]:
    function = item.get("function")
    if not isinstance(function, dict):
        raise BadRequestError("Only tools of type function are known here.", param=at)
    return function


def document(request: ModelRequest, completion: Completion, *, call: int) -> dict[str, object]:
    """Return the whole answer as one document."""
    message: dict[str, object] = {
        "role": "assistant",
        "content": (completion.text or None) if completion.tool_calls else completion.text,
        "refusal": None,
        "annotations": [],
    }
    if completion.tool_calls:
        message["tool_calls"] = [_call_document(tool) for tool in completion.tool_calls]
    choice = {
        "index": 0,
        "message": message,
        "logprobs": None,
        "finish_reason": _finish_reason(completion),
    }
    head = _head(request, "chat.completion", call=call)
    return {**head, "choices": [choice], "usage": _usage(completion.tokens)}


def events(request: ModelRequest, completion: Completion, *, call: int) -> Iterator[bytes]:
    """Yield the answer as server-sent events, the end mark included."""
    head = _head(request, "chat.completion.chunk", call=call)
    if request.include_usage:
        head["usage"] = None

    def chunk(delta: Mapping[str, object], finish_reason: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}
        return data_event({**head, "choices": [choice]})

    yield chunk(
        {"role": "assistant", "content": None if completion.tool_calls else "", "refusal": None}
    )
    for piece in pieces(completion.text):
        yield chunk({"content": piece})
    for index, tool in enumerate(completion.tool_calls):
        start = {**_call_document(tool), "function": {"name": tool.name, "arguments": ""}}
        yield chunk({"tool_calls": [{"index": index, **start}]})
        for piece in pieces(tool.arguments_text):
            yield chunk({"tool_calls": [{"index": index, "function": {"arguments": piece}}]})
    yield chunk({}, _finish_reason(completion))
    if request.include_usage:
        yield data_event({**head, "choices": [], "usage": _usage(completion.tokens)})
    yield DONE


def _head(request: ModelRequest, kind: str, *, call: int) -> dict[str, object]:
    return {
        "id": f"chatcmpl-{call}",
        "object": kind,
        "created": CREATED,
        "model": request.model,
        "service_tier": "default",
        "system_fingerprint": "fp_scripted",
    }


def _call_document(tool: ToolCall) -> dict[str, object]:
    function = {"name": tool.name, "arguments": tool.arguments_text}
    return {"id": tool.id, "type": "function", "function": function}


def _finish_reason(completion: Completion) -> str:
    if completion.tool_calls:
        return "tool_calls"
    return "length" if completion.cut else "stop"


def _usage(tokens: Tokens) -> dict[str, object]:
    return {
        "prompt_tokens": tokens.prompt,
        "completion_tokens": tokens.completion,
        "total_tokens": tokens.total,
        "prompt_tokens_details": {"cached_tokens": tokens.cached, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": tokens.reasoning,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }

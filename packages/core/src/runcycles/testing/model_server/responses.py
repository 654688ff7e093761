"""The Responses dialect: its request, its document, its stream of named events."""

from collections.abc import Iterator, Mapping
from itertools import count
from typing import TypeAlias

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
from runcycles.testing.model_server.sse import CREATED, named_event, pieces

# What the service repeats from the request, and what it says when the request was silent.
_ECHOED: Mapping[str, object] = {
    "background": False,
    "instructions": None,
    "max_output_tokens": None,
    "metadata": {},
    "parallel_tool_calls": True,
    "previous_response_id": None,
    "reasoning": {"effort": None, "summary": None},
    "service_tier": "default",
    "store": True,
    "temperature": 1.0,
    "text": {"format": {"type": "text"}},
    "tool_choice": "auto",
    "tools": [],
    "top_p": 1.0,
    "truncation": "disabled",
}


def read_request(body: Mapping[str, object]) -> ModelRequest:
    """Read a Responses request.

    Raises:
        BadRequestError: the real service would not take it, or this one cannot.
    """
    model = read_string(body, "model", "model")
    for stored in ("previous_response_id", "conversation"):
        if body.get(stored) is not None:
            raise BadRequestError(
                "This server keeps no conversations; send all of it.", param=stored
            )
    messages = tuple(_messages(body))
    if not messages:
        raise BadRequestError("'input' must not be empty.", param="input")
    return ModelRequest(
        model=model,
        messages=messages,
        tools=tuple(_tool(item, at) for at, item in read_objects(body.get("tools"), "tools")),
        max_tokens=read_count(body, "max_output_tokens"),
        stream=body.get("stream") is True,
        include_usage=True,
        body=body,
    )


def _messages(body: Mapping[str, object]) -> Iterator[Message]:
    if instructions := read_text(body.get("instructions"), "instructions"):
        yield Message(role="system", text=instructions)
    asked = body.get("input")
    if isinstance(asked, str):
        yield Message(role="user", text=asked)
        return
    for at, item in read_objects(asked, "input"):
        match item.get("type", "message"):
            case "message":
                text = read_text(item.get("content"), f"{at}.content")
                yield Message(role=read_string(item, "role", f"{at}.role"), text=text)
            case "function_call":
                yield Message(role="assistant", tool_calls=(_tool_call(item, at),))
            case "function_call_output":
                call_id = read_string(item, "call_id", f"{at}.call_id")
                text = read_text(item.get("output"), f"{at}.output")
                yield Message(role="tool", text=text, tool_call_id=call_id)
            case _:
                pass  # reasoning and hosted tools hold nothing that a script decides on


def _tool(item: Mapping[str, object], at: str) -> str:
    """Return the name of a function; a hosted tool, such as web_search, is named by its type."""
    key = "name" if item.get("type") == "function" else "type"
    return read_string(item, key, f"{at}.{key}")


def _tool_call(item: Mapping[str, object], at: str) -> ToolCall:
    arguments = item.get("arguments")
    return ToolCall(
        name=read_string(item, "name", f"{at}.name"),
        arguments=arguments if isinstance(arguments, str) else "",
        id=read_string(item, "call_id", f"{at}.call_id"),
    )


def document(request: ModelRequest, completion: Completion, *, call: int) -> dict[str, object]:
    """Return the whole answer as one document."""
    output = [_text_item(completion.text, call=call)] if _speaks(completion) else []
    output += [_tool_item(tool) for tool in completion.tool_calls]
    return {
        **_begun(request, call=call),
        "status": "incomplete" if completion.cut else "completed",
        "incomplete_details": {"reason": "max_output_tokens"} if completion.cut else None,
        "output": output,
        "usage": _usage(completion.tokens),
    }


def events(request: ModelRequest, completion: Completion, *, call: int) -> Iterator[bytes]:
    """Yield the answer as named server-sent events; the last one carries the whole document."""
    for number, (kind, data) in enumerate(_events(request, completion, call=call)):
        yield named_event(kind, {"type": kind, "sequence_number": number, **data})


_Event: TypeAlias = tuple[str, dict[str, object]]


def _events(request: ModelRequest, completion: Completion, *, call: int) -> Iterator[_Event]:
    begun = _begun(request, call=call)
    yield "response.created", {"response": begun}
    yield "response.in_progress", {"response": begun}
    places = count()
    if _speaks(completion):
        yield from _text_events(
            _text_item(completion.text, call=call), completion.text, next(places)
        )
    for tool in completion.tool_calls:
        yield from _tool_events(_tool_item(tool), tool, next(places))
    end = "response.incomplete" if completion.cut else "response.completed"
    yield end, {"response": document(request, completion, call=call)}


def _text_events(item: dict[str, object], text: str, place: int) -> Iterator[_Event]:
    begun = {**item, "status": "in_progress", "content": []}
    yield "response.output_item.added", {"output_index": place, "item": begun}
    at = {"item_id": item["id"], "output_index": place, "content_index": 0}
    yield "response.content_part.added", {**at, "part": _text_part("")}
    for piece in pieces(text):
        yield "response.output_text.delta", {**at, "delta": piece, "logprobs": []}
    yield "response.output_text.done", {**at, "text": text, "logprobs": []}
    yield "response.content_part.done", {**at, "part": _text_part(text)}
    yield "response.output_item.done", {"output_index": place, "item": item}


def _tool_events(item: dict[str, object], tool: ToolCall, place: int) -> Iterator[_Event]:
    begun = {**item, "status": "in_progress", "arguments": ""}
    yield "response.output_item.added", {"output_index": place, "item": begun}
    at = {"item_id": item["id"], "output_index": place}
    for piece in pieces(tool.arguments_text):
        yield "response.function_call_arguments.delta", {**at, "delta": piece}
    done = {**at, "name": tool.name, "arguments": tool.arguments_text}
    yield "response.function_call_arguments.done", done
    yield "response.output_item.done", {"output_index": place, "item": item}


def _speaks(completion: Completion) -> bool:
    """Return whether there is a message at all; one that only calls tools says nothing."""
    return bool(completion.text) or not completion.tool_calls


def _begun(request: ModelRequest, *, call: int) -> dict[str, object]:
    body = request.body
    return {
        **_ECHOED,
        **{key: body[key] for key in _ECHOED if body.get(key) is not None},
        "id": f"resp_{call}",
        "object": "response",
        "created_at": CREATED,
        "status": "in_progress",
        "error": None,
        "incomplete_details": None,
        "model": request.model,
        "output": [],
        "usage": None,
    }


def _text_item(text: str, *, call: int) -> dict[str, object]:
    return {
        "id": f"msg_{call}",
        "type": "message",
        "status": "completed",
        "role": "assistant",
        "content": [_text_part(text)],
    }


def _text_part(text: str) -> dict[str, object]:
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


def _tool_item(tool: ToolCall) -> dict[str, object]:
    return {
        "id": f"fc_{tool.id}",
        "type": "function_call",
        "status": "completed",
        "call_id": tool.id,
        "name": tool.name,
        "arguments": tool.arguments_text,
    }


def _usage(tokens: Tokens) -> dict[str, object]:
    return {
        "input_tokens": tokens.prompt,
        "input_tokens_details": {"cached_tokens": tokens.cached, "cache_write_tokens": 0},
        "output_tokens": tokens.completion,
        "output_tokens_details": {"reasoning_tokens": tokens.reasoning},
        "total_tokens": tokens.total,
    }

"""What a model is asked, in one shape for both OpenAI dialects.

Scripts decide on these values alone, so one script serves Chat Completions and Responses alike.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

MAX_DEPTH = 100  # of nested JSON; a tool schema has about ten
CHARS_PER_TOKEN = 4  # a made-up tokenizer: countable by hand, the same for everybody


def count_tokens(chars: int) -> int:
    """Return how many tokens so many characters are: a quarter of them, rounded up."""
    return -(-chars // CHARS_PER_TOKEN)


class BadRequestError(Exception):
    """The caller sent something the real service would refuse as well."""

    def __init__(self, message: str, *, param: str | None = None, code: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.param = param
        self.code = code


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCall:
    """A function the model wants to be called, or has asked for earlier in the conversation.

    `arguments` is a mapping, or the raw text when a test wants arguments that are not valid JSON.
    Without an `id` it is named after the number of its call: `call_3_0` is the first one of call 3.
    """

    name: str
    arguments: Mapping[str, object] | str = field(default_factory=dict)
    id: str | None = None

    @property
    def arguments_text(self) -> str:
        """The arguments as they travel: a JSON document in a string."""
        if isinstance(self.arguments, str):
            return self.arguments
        return json.dumps(self.arguments, separators=(",", ":"))

    @property
    def chars(self) -> int:
        """The characters that are counted as tokens."""
        return len(self.name) + len(self.arguments_text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One turn of the conversation; images and other parts without text are left out."""

    role: str  # system, developer, user, assistant or tool
    text: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str | None = None

    @property
    def chars(self) -> int:
        """The characters that are counted as tokens."""
        return len(self.text) + sum(call.chars for call in self.tool_calls)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRequest:
    """One question to the model, and the body it arrived in."""

    model: str
    messages: tuple[Message, ...]
    tools: tuple[str, ...] = ()  # names of the functions on offer
    max_tokens: int | None = None
    stream: bool = False
    include_usage: bool = False  # Chat Completions tells usage in a stream only when asked to
    body: Mapping[str, object] = field(default_factory=dict)

    @property
    def system(self) -> str:
        """All system and developer text, joined by line ends."""
        return "\n".join(m.text for m in self.messages if m.role in ("system", "developer"))

    @property
    def last(self) -> Message:
        """What was said last: the user's question, or the result of a tool."""
        return self.messages[-1]

    @property
    def prompt_tokens(self) -> int:
        """Tokens of everything said so far, tool calls and their results included."""
        return count_tokens(sum(message.chars for message in self.messages))


# What is removed before two bodies are compared: values that differ between two runs of one agent.
IDS = frozenset({
    "call_id",
    "conversation",
    "id",
    "metadata",
    "previous_response_id",
    "prompt_cache_key",
    "safety_identifier",
    "tool_call_id",
    "user",
})  # fmt: skip


def without_ids(body: object) -> object:
    """Return the body without ids and labels; tool schemas stay whole, an `id` there is a name."""
    match body:
        case dict():
            return {
                key: value if key == "tools" else without_ids(value)
                for key, value in body.items()
                if key not in IDS
            }
        case list():
            return [without_ids(item) for item in body]
        case _:
            return body


# --- reading JSON that nobody has validated yet ---


def read_object(body: bytes) -> dict[str, object]:
    """Parse a JSON object, or say what it is instead."""
    try:
        value = json.loads(body)
    except (ValueError, RecursionError) as exc:
        raise BadRequestError("The body is not valid JSON.", code="invalid_json") from exc
    if not isinstance(value, dict):
        raise BadRequestError("The body must be a JSON object.", code="invalid_json")
    if not _is_within(value, MAX_DEPTH):
        raise BadRequestError("The body is nested too deeply.", code="invalid_json")
    return value


def _is_within(value: object, depth: int) -> bool:
    match value:
        case dict():
            return depth > 0 and all(_is_within(item, depth - 1) for item in value.values())
        case list():
            return depth > 0 and all(_is_within(item, depth - 1) for item in value)
        case _:
            return True


def read_text(value: object, param: str) -> str:
    """Return the text of a string, of a list of parts, or of nothing."""
    match value:
        case None:
            return ""
        case str():
            return value
        case list():
            return "".join(_part_text(part, param) for part in value)
        case _:
            raise BadRequestError("Content is a string or a list of parts.", param=param)


def _part_text(part: object, param: str) -> str:
    if not isinstance(part, dict) or not isinstance(part.get("type"), str):
        raise BadRequestError("Each content part is an object with a type.", param=param)
    text = part.get("text", "")
    if not isinstance(text, str):
        raise BadRequestError("The text of a content part is a string.", param=param)
    return text


def read_string(holder: Mapping[str, object], key: str, param: str) -> str:
    """Return a string that must be there."""
    value = holder.get(key)
    if not isinstance(value, str) or not value:
        raise BadRequestError(f"Missing required parameter: '{param}'.", param=param)
    return value


def read_count(holder: Mapping[str, object], key: str) -> int | None:
    """Return a whole number of at least one, or None where there is none."""
    value = holder.get(key)
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise BadRequestError(f"'{key}' must be a whole number above zero.", param=key)
    return value


def read_objects(value: object, param: str) -> Iterator[tuple[str, dict[str, object]]]:
    """Yield each object of a list with its place in the body; None is an empty list."""
    if value is None:
        return
    if not isinstance(value, list):
        raise BadRequestError(f"'{param}' must be a list.", param=param)
    for index, item in enumerate(value):
        place = f"{param}[{index}]"
        if not isinstance(item, dict):
            raise BadRequestError(f"'{place}' must be an object.", param=place)
        yield place, item


RUN_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")  # what may stand for {run} in a path

"""JSON as it stands in a column, and back."""

import json
from typing import Any

from runcycles.wire.adapters import to_json


def text_of(record_type: Any, value: Any) -> str:
    """A value of one of our types; what is None in it is left out."""
    return to_json(record_type, value).decode()


def free_text(value: Any) -> str:
    """A JSON value of any shape."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def free_text_or_null(value: Any) -> str | None:
    """A JSON value of any shape, where there is one."""
    return None if value is None else free_text(value)


def parsed(text: str | None) -> Any:
    """The JSON value in a column, where there is one."""
    return None if text is None else json.loads(text)

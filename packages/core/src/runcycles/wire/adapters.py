"""pydantic's adapters over our own dataclasses, made on first use and kept."""

from functools import cache
from typing import Any

from pydantic import TypeAdapter


def adapter(body_type: Any) -> TypeAdapter[Any]:
    """The adapter of a body type."""
    return _made(body_type)


@cache
def _made(body_type: Any) -> TypeAdapter[Any]:
    return TypeAdapter(body_type)

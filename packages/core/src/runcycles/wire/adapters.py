"""pydantic's adapters over our own dataclasses, made on first use and kept."""

from functools import cache
from typing import Any, Literal

from pydantic import TypeAdapter
from pydantic_core import SchemaSerializer, SchemaValidator

Extra = Literal["allow", "forbid", "ignore"]


def adapter(body_type: Any) -> TypeAdapter[Any]:
    """The adapter of a body type."""
    return _made(body_type)


@cache
def _made(body_type: Any) -> TypeAdapter[Any]:
    return TypeAdapter(body_type)


def to_json(body_type: Any, value: Any, *, warnings: bool = True) -> bytes:
    """A body as JSON, without what it leaves out; its adapter's own method takes twice as long.

    Without `warnings`, values are not known to be of their types yet.
    """
    return _serializer(body_type).to_json(value, exclude_none=True, warnings=warnings)


def from_json(
    body_type: Any, body: bytes, *, strict: bool | None = None, extra: Extra | None = None
) -> Any:
    """The value in a body.

    Raises:
        ValidationError: where it is none.
    """
    return _validator(body_type).validate_json(body, strict=strict, extra=extra)


@cache
def _validator(body_type: Any) -> SchemaValidator:
    made = adapter(body_type).validator
    assert isinstance(made, SchemaValidator), made  # pydantic can put it off, but not for these
    return made


@cache
def _serializer(body_type: Any) -> SchemaSerializer:
    made = adapter(body_type).serializer
    assert isinstance(made, SchemaSerializer), made  # pydantic can put it off, but not for these
    return made

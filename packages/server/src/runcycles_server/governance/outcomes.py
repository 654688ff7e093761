"""What the operator's transitions answer besides a refusal."""

from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Made(Generic[T]):
    """A record that now exists; `is_new` where this request made it."""

    record: T
    is_new: bool

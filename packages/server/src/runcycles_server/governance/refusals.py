"""The operator's ways to hear no: one function each, with the sentence that helps."""

from dataclasses import dataclass

from runcycles.errors import ErrorCode
from runcycles.ops import Refused


@dataclass(frozen=True, slots=True, kw_only=True)
class WrongState(Refused):
    """INVALID_REQUEST as a 409: what is asked for is well said, but not open in this state."""


def unknown_tenant(tenant_id: str) -> Refused:
    """There is no tenant under this id."""
    return Refused(code=ErrorCode.TENANT_NOT_FOUND, message=f"There is no tenant {tenant_id}")


def closed_tenant(tenant_id: str) -> Refused:
    """The tenant is closed, so nothing of it changes any more."""
    return Refused(
        code=ErrorCode.TENANT_CLOSED,
        message=f"The tenant {tenant_id} is closed; nothing of it can change",
    )


def invalid_field(field: str, reason: str) -> Refused:
    """A 400 that names the field."""
    return Refused(code=ErrorCode.INVALID_REQUEST, message=f"Validation failed: {field}: {reason}")


def wrong_state(message: str) -> WrongState:
    """A 409 where the protocol has no code of its own for the state."""
    return WrongState(code=ErrorCode.INVALID_REQUEST, message=message)

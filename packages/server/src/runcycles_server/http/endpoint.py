"""What one row of the table of endpoints says; the app and the OpenAPI document both read it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any

from runcycles.errors import ErrorCode
from runcycles_server.authority import Authority
from runcycles_server.governance.operator import Operator
from runcycles_server.governance.permissions import Permission
from runcycles_server.http.exchange import Answer, Exchange
from runcycles_server.http.metrics import Metrics
from runcycles_server.throttle import Throttle


class Access(Enum):
    """Whose key opens an endpoint."""

    TENANT = "a tenant's API key"
    ADMIN = "the operator's admin key"
    EITHER = "an API key or the admin key"
    PUBLIC = "no key"


class Plane(Enum):
    """Which part of the protocol an endpoint belongs to."""

    RUNTIME = "Runtime"
    GOVERNANCE = "Governance"
    SERVER = "Server"

    @property
    def forbids_with(self) -> ErrorCode:
        """The code for a key that lacks the permission; the runtime has no finer one."""
        if self is Plane.GOVERNANCE:
            return ErrorCode.INSUFFICIENT_PERMISSIONS
        return ErrorCode.FORBIDDEN


@dataclass(frozen=True, slots=True)
class Service:
    """What the handlers work with."""

    authority: Authority
    operator: Operator
    metrics: Metrics | None = None
    """What the server counts about itself; None where nobody may read it."""
    passers_by: Throttle | None = None
    """How often one address may ask what needs no key; None is as often as it likes."""


Handler = Callable[[Service, Exchange], Awaitable[Answer]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One method on one path. Everything about it is a column, so nothing can be forgotten.

    `statuses` are those of success; `errors` are the codes besides those that every endpoint of
    its access can answer with. Where `wrong_state` is set, INVALID_REQUEST comes as a 409 too.
    What has a second form, told apart by its query, has it in `other_query` and `other_success`.
    """

    operation: str
    summary: str
    method: str
    path: str
    plane: Plane
    access: Access
    permission: Permission | None
    body: type[Any] | None = None
    body_required: bool = True
    query: type[Any] | None = None
    success: type[Any] | None = None
    media_type: str = "application/json"
    other_query: type[Any] | None = None
    other_success: type[Any] | None = None
    statuses: tuple[int, ...] = (200,)
    errors: tuple[ErrorCode, ...] = ()
    wrong_state: bool = False
    handler: Handler

"""What each endpoint answers to each kind of caller: from its row of the table, and few exceptions.

Callers that are refused must be refused for the right reason, and change nothing; a caller who is
answered although the answer is not for them must see nothing of it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import httpx

from runcycles.errors import ErrorCode
from runcycles_server.governance.permissions import Permission
from runcycles_server.http.endpoint import Access, Endpoint
from tests.server.authority.world import Names


class Caller(StrEnum):
    """Who asks for what is the tenant's own."""

    NOBODY = "no key"
    STRANGER = "wrong key"
    OWNER = "the tenant's key"
    OTHER_TENANT = "other tenant's key"
    UNPERMITTED = "key without the permission"
    OUTSIDE = "scope filter outside"
    EXPIRED = "expired key"
    REVOKED = "revoked key"
    SUSPENDED = "key of a suspended tenant"
    CLOSED = "key of a closed tenant"
    OPERATOR = "admin key"
    OPERATOR_TOO = "admin key beside a wrong key"
    FALSE_OPERATOR = "wrong admin key beside the tenant's key"


def anything(_answer: httpx.Response, _names: Names) -> bool:
    """The answer may say what it likes."""
    return True


@dataclass(frozen=True, slots=True)
class Expected:
    """One cell: the status, the code of a refusal, and what must be true of the answer."""

    statuses: tuple[int, ...]
    code: ErrorCode | None = None
    holds: Callable[[httpx.Response, Names], bool] = anything


def _nothing_of(answer: httpx.Response, names: Names) -> bool:
    """Nothing of what these names are of is in the answer."""
    return names.tenant not in answer.text


def _no_rows(answer: httpx.Response, _names: Names) -> bool:
    """Every list in the answer is empty, and there is one."""
    lists = [value for value in answer.json().values() if isinstance(value, list)]
    return bool(lists) and not any(lists)


def _denied(answer: httpx.Response, _names: Names) -> bool:
    said = answer.json()
    return (said["decision"], said.get("reason_code")) == ("DENY", "TENANT_SUSPENDED")


UNAUTHORIZED: Final = Expected((401,), ErrorCode.UNAUTHORIZED)
FORBIDDEN: Final = Expected((403,), ErrorCode.FORBIDDEN)
INVALID: Final = Expected((400,), ErrorCode.INVALID_REQUEST)
UNKNOWN: Final = Expected((404,), ErrorCode.NOT_FOUND)
OWN_ROWS: Final = Expected((200,), holds=_nothing_of)
NO_ROWS: Final = Expected((200,), holds=_no_rows)

EXCEPTIONS: Final[dict[tuple[str, Caller], Expected]] = {
    # a list holds what its caller may see; whose it is the key says, whatever is asked for
    ("listReservations", Caller.OUTSIDE): NO_ROWS,
    ("getBalances", Caller.OUTSIDE): NO_ROWS,
    ("listBudgets", Caller.OUTSIDE): NO_ROWS,
    ("listBudgets", Caller.OTHER_TENANT): OWN_ROWS,
    ("listPolicies", Caller.OUTSIDE): NO_ROWS,
    ("listPolicies", Caller.OTHER_TENANT): OWN_ROWS,
    ("listActionQuotaCounters", Caller.OUTSIDE): NO_ROWS,
    ("listActionQuotaCounters", Caller.OTHER_TENANT): OWN_ROWS,
    # the protocol says of a new budget or policy that the scope must be the tenant's: 400
    ("createBudget", Caller.OTHER_TENANT): INVALID,
    ("createPolicy", Caller.OTHER_TENANT): INVALID,
    # an id may be of anything, so one that is not the caller's is as good as none
    ("explain", Caller.OTHER_TENANT): UNKNOWN,
    ("explain", Caller.OUTSIDE): UNKNOWN,
    # whoever has a good key may ask what it is good for
    ("introspectAuth", Caller.OTHER_TENANT): OWN_ROWS,
    ("introspectAuth", Caller.OUTSIDE): Expected((200,)),
    # an event starts nothing, it says what was spent
    ("createEvent", Caller.SUSPENDED): Expected((201,)),
    # a question that holds nothing is answered with a denial
    ("decide", Caller.SUSPENDED): Expected((200,), holds=_denied),
}
_OPENS_NOTHING: Final = (
    Caller.NOBODY,
    Caller.STRANGER,
    Caller.EXPIRED,
    Caller.REVOKED,
    Caller.CLOSED,
)


def expected(row: Endpoint, caller: Caller) -> Expected:
    """What this endpoint has to answer to this caller."""
    granted = Expected(row.statuses)
    if row.access is Access.PUBLIC:
        return granted
    if (exception := EXCEPTIONS.get((row.operation, caller))) is not None:
        return exception
    if caller in (Caller.OPERATOR, Caller.OPERATOR_TOO):
        return UNAUTHORIZED if row.access is Access.TENANT else granted
    if caller is Caller.FALSE_OPERATOR:
        return granted if row.access is Access.TENANT else UNAUTHORIZED
    if row.access is Access.ADMIN or caller in _OPENS_NOTHING:
        return UNAUTHORIZED
    match caller:
        case Caller.UNPERMITTED if row.permission is not None:
            return Expected((403,), row.plane.forbids_with)
        case Caller.OTHER_TENANT | Caller.OUTSIDE:
            return FORBIDDEN
        case Caller.SUSPENDED if _starts_something(row.permission):
            return FORBIDDEN
        case _:
            return granted


def _starts_something(permission: Permission | None) -> bool:
    """Whether it is more than to look, or to finish what was begun."""
    return permission is not None and (
        permission is Permission.RESERVATIONS_CREATE or permission.endswith(":write")
    )

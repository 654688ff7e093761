"""The table of endpoints: the whole HTTP surface, one row each, the busiest paths first.

Whose key and which permission an endpoint wants are columns. An endpoint that is not in this table
does not exist, and one that is in it cannot be reached without passing them.
"""

from typing import Any, Final

from runcycles import wire
from runcycles.errors import ErrorCode
from runcycles.ops import (
    Balances,
    Commit,
    Decide,
    Extend,
    GetReservation,
    ListReservations,
    Op,
    Record,
    Release,
    Reserve,
)
from runcycles.wire.replies import REPLY_BODIES
from runcycles_server.governance import bodies
from runcycles_server.governance.permissions import Permission
from runcycles_server.http import openapi, operators, server
from runcycles_server.http.endpoint import Access, Endpoint, Plane
from runcycles_server.http.runtime import asks, reads

_OF_A_BUDGET: Final = (
    ErrorCode.UNIT_MISMATCH,
    ErrorCode.NOT_FOUND,
    ErrorCode.BUDGET_EXCEEDED,
    ErrorCode.BUDGET_FROZEN,
    ErrorCode.BUDGET_CLOSED,
    ErrorCode.OVERDRAFT_LIMIT_EXCEEDED,
    ErrorCode.TENANT_CLOSED,
    ErrorCode.IDEMPOTENCY_MISMATCH,
)
_OF_A_RESERVATION: Final = (
    ErrorCode.NOT_FOUND,
    ErrorCode.TENANT_CLOSED,
    ErrorCode.RESERVATION_FINALIZED,
    ErrorCode.RESERVATION_EXPIRED,
    ErrorCode.IDEMPOTENCY_MISMATCH,
)


def _runtime(
    op: type[Op[Any]],
    operation: str,
    summary: str,
    permission: Permission,
    *errors: ErrorCode,
    access: Access = Access.TENANT,
) -> Endpoint:
    """A row of the runtime: method, path, bodies and status are those of the wire's own table."""
    on_wire = wire.ENDPOINTS[op]
    return Endpoint(
        operation=operation,
        summary=summary,
        method=on_wire.method,
        path=on_wire.path,
        plane=Plane.RUNTIME,
        access=access,
        permission=permission,
        body=on_wire.body,
        query=None if on_wire.body else op,
        success=REPLY_BODIES[op],
        statuses=(on_wire.status,),
        errors=errors,
        handler=(asks if on_wire.body else reads)(op, on_wire.status),
    )


ENDPOINTS: Final[tuple[Endpoint, ...]] = (
    _runtime(
        Reserve,
        "createReservation",
        "May this happen, and hold the estimate if so",
        Permission.RESERVATIONS_CREATE,
        *_OF_A_BUDGET,
        ErrorCode.DEBT_OUTSTANDING,
    ),
    _runtime(
        Commit,
        "commitReservation",
        "It happened: settle the reservation with what was used",
        Permission.RESERVATIONS_COMMIT,
        *_OF_A_RESERVATION,
        ErrorCode.UNIT_MISMATCH,
        ErrorCode.BUDGET_EXCEEDED,
        ErrorCode.OVERDRAFT_LIMIT_EXCEEDED,
    ),
    _runtime(
        Release,
        "releaseReservation",
        "It did not happen: give the whole estimate back",
        Permission.RESERVATIONS_RELEASE,
        *_OF_A_RESERVATION,
        access=Access.EITHER,
    ),
    _runtime(
        Extend,
        "extendReservation",
        "It takes longer: keep the reservation alive",
        Permission.RESERVATIONS_EXTEND,
        *_OF_A_RESERVATION,
        ErrorCode.MAX_EXTENSIONS_EXCEEDED,
    ),
    _runtime(
        Decide,
        "decide",
        "Would this be allowed now; nothing is held",
        Permission.RESERVATIONS_CREATE,
        ErrorCode.UNIT_MISMATCH,
        ErrorCode.IDEMPOTENCY_MISMATCH,
    ),
    _runtime(
        Record,
        "createEvent",
        "Book spend that had no reservation",
        Permission.RESERVATIONS_CREATE,
        *_OF_A_BUDGET,
    ),
    _runtime(
        Balances,
        "getBalances",
        "What the matching budgets have left",
        Permission.BALANCES_READ,
    ),
    _runtime(
        ListReservations,
        "listReservations",
        "Reservations that match every given filter",
        Permission.RESERVATIONS_LIST,
        access=Access.EITHER,
    ),
    _runtime(
        GetReservation,
        "getReservation",
        "One reservation",
        Permission.RESERVATIONS_LIST,
        ErrorCode.NOT_FOUND,
        ErrorCode.RESERVATION_EXPIRED,
        access=Access.EITHER,
    ),
    Endpoint(
        operation="createTenant",
        summary="Make a tenant; the same id and name again answers 200 with the one there is",
        method="POST",
        path="/v1/admin/tenants",
        plane=Plane.GOVERNANCE,
        access=Access.ADMIN,
        permission=None,
        body=bodies.TenantCreate,
        success=bodies.TenantView,
        statuses=(201, 200),
        errors=(ErrorCode.DUPLICATE_RESOURCE,),
        handler=operators.create_tenant,
    ),
    Endpoint(
        operation="listTenants",
        summary="Tenants that match every given filter",
        method="GET",
        path="/v1/admin/tenants",
        plane=Plane.GOVERNANCE,
        access=Access.ADMIN,
        permission=None,
        query=bodies.TenantQuery,
        success=bodies.TenantPage,
        handler=operators.list_tenants,
    ),
    Endpoint(
        operation="getTenant",
        summary="One tenant",
        method="GET",
        path="/v1/admin/tenants/{tenant_id}",
        plane=Plane.GOVERNANCE,
        access=Access.ADMIN,
        permission=None,
        success=bodies.TenantView,
        errors=(ErrorCode.TENANT_NOT_FOUND,),
        handler=operators.get_tenant,
    ),
    Endpoint(
        operation="createApiKey",
        summary="Make an API key; this answer alone shows its secret",
        method="POST",
        path="/v1/admin/api-keys",
        plane=Plane.GOVERNANCE,
        access=Access.ADMIN,
        permission=None,
        body=bodies.KeyCreate,
        success=bodies.KeyCreated,
        statuses=(201,),
        errors=(ErrorCode.TENANT_NOT_FOUND, ErrorCode.TENANT_CLOSED),
        handler=operators.create_key,
    ),
    Endpoint(
        operation="createBudget",
        summary="Give a scope a budget in one unit",
        method="POST",
        path="/v1/admin/budgets",
        plane=Plane.GOVERNANCE,
        access=Access.EITHER,
        permission=Permission.BUDGETS_WRITE,
        body=bodies.BudgetCreate,
        success=bodies.BudgetView,
        statuses=(201,),
        errors=(
            ErrorCode.UNIT_MISMATCH,
            ErrorCode.TENANT_NOT_FOUND,
            ErrorCode.TENANT_CLOSED,
            ErrorCode.DUPLICATE_RESOURCE,
        ),
        handler=operators.create_budget,
    ),
    Endpoint(
        operation="listBudgets",
        summary="Budgets that match every given filter",
        method="GET",
        path="/v1/admin/budgets",
        plane=Plane.GOVERNANCE,
        access=Access.EITHER,
        permission=Permission.BUDGETS_READ,
        query=bodies.BudgetQuery,
        success=bodies.BudgetPage,
        handler=operators.list_budgets,
    ),
    Endpoint(
        operation="fundBudget",
        summary="Change what a budget allocates; CREDIT adds to it",
        method="POST",
        path="/v1/admin/budgets/fund",
        plane=Plane.GOVERNANCE,
        access=Access.EITHER,
        permission=Permission.BUDGETS_WRITE,
        body=bodies.Fund,
        query=bodies.FundQuery,
        success=bodies.Funded,
        errors=(
            ErrorCode.UNIT_MISMATCH,
            ErrorCode.BUDGET_NOT_FOUND,
            ErrorCode.TENANT_CLOSED,
            ErrorCode.BUDGET_FROZEN,
            ErrorCode.BUDGET_CLOSED,
            ErrorCode.IDEMPOTENCY_MISMATCH,
        ),
        handler=operators.fund_budget,
    ),
    Endpoint(
        operation="isAlive",
        summary="Whether the process answers",
        method="GET",
        path="/healthz",
        plane=Plane.SERVER,
        access=Access.PUBLIC,
        permission=None,
        success=server.Health,
        handler=server.is_alive,
    ),
    Endpoint(
        operation="isReady",
        summary="Whether the store takes writes",
        method="GET",
        path="/readyz",
        plane=Plane.SERVER,
        access=Access.PUBLIC,
        permission=None,
        success=server.Health,
        handler=server.is_ready,
    ),
    Endpoint(
        operation="describe",
        summary="This document",
        method="GET",
        path="/openapi.json",
        plane=Plane.SERVER,
        access=Access.PUBLIC,
        permission=None,
        handler=openapi.describes(lambda: ENDPOINTS),
    ),
)

"""The endpoints of budgets.

They serve tenants too. Whose budgets are meant then follows from the key alone: an admin names the
tenant, a tenant must not.
"""

from typing import Final, cast

from runcycles.errors import ErrorCode
from runcycles.wire.requests import invalid, parse_as
from runcycles_server.governance.budgets import commands, lists
from runcycles_server.governance.budgets.bodies import (
    BudgetAt,
    BudgetCaps,
    BudgetCreate,
    BudgetPage,
    BudgetQuery,
    BudgetUpdate,
    BudgetView,
    CapsUpdate,
    Freeze,
    Fund,
    Funded,
    FundQuery,
)
from runcycles_server.governance.budgets.places import Place, place_of
from runcycles_server.governance.budgets.views import caps_view, view
from runcycles_server.governance.operator import encode
from runcycles_server.governance.permissions import Permission
from runcycles_server.governance.scopes import canonical_scope
from runcycles_server.http.endpoint import Access, Endpoint, Plane, Service
from runcycles_server.http.exchange import Answer, Exchange
from runcycles_server.http.problems import refusal
from runcycles_server.http.reading import actor_of, check_scope, parsed_query


async def create(service: Service, exchange: Exchange) -> Answer:
    """A new budget."""
    request = parse_as(BudgetCreate, await exchange.json_body())
    own = exchange.caller.tenant
    if own is not None and request.tenant_id is not None:
        raise invalid("tenant_id", "leave it out: the API key says whose budget it is")
    if own is None and request.tenant_id is None:
        raise invalid("tenant_id", "the admin key must say whose budget it is")
    tenant = own or cast("str", request.tenant_id)
    check_scope(exchange, canonical_scope(request.scope))
    account = await commands.create(service.operator, request, actor_of(exchange), tenant=tenant)
    return Answer(201, encode(view(account)))


async def list_all(service: Service, exchange: Exchange) -> Answer:
    """The budgets that match: a tenant's own, an admin's choice."""
    query = parsed_query(BudgetQuery, exchange)
    tenant = exchange.caller.tenant or query.tenant_id
    accounts = await commands.visible(service.operator, tenant, exchange.caller.scope_filter)
    return Answer(200, encode(lists.page(accounts, query, tenant=tenant)))


async def lookup(service: Service, exchange: Exchange) -> Answer:
    """One budget."""
    at = _place(exchange, parsed_query(BudgetAt, exchange))
    return Answer(200, encode(view(await commands.lookup(service.operator, at))))


async def update(service: Service, exchange: Exchange) -> Answer:
    """Another limit, policy or metadata."""
    at = _place(exchange, parsed_query(BudgetAt, exchange))
    request = parse_as(BudgetUpdate, await exchange.json_body())
    account = await commands.update(service.operator, request, actor_of(exchange), at)
    return Answer(200, encode(view(account)))


async def freeze(service: Service, exchange: Exchange) -> Answer:
    """No more reservations and funds for a budget."""
    at = _place(exchange, parsed_query(BudgetAt, exchange))
    request = await _freeze_body(exchange)
    account = await commands.freeze(service.operator, request, actor_of(exchange), at)
    return Answer(200, encode(view(account)))


async def unfreeze(service: Service, exchange: Exchange) -> Answer:
    """A frozen budget goes on."""
    at = _place(exchange, parsed_query(BudgetAt, exchange))
    request = await _freeze_body(exchange)
    account = await commands.unfreeze(service.operator, request, actor_of(exchange), at)
    return Answer(200, encode(view(account)))


async def fund(service: Service, exchange: Exchange) -> Answer:
    """Other numbers for a budget."""
    query = parsed_query(FundQuery, exchange)
    request = parse_as(Fund, await exchange.json_body())
    at = _place(exchange, query)
    if exchange.caller.tenant is None:
        if query.tenant_id is None:
            raise invalid("tenant_id", "the admin key must say whose budget it is")
        if query.tenant_id != at.tenant:
            raise invalid("scope", f"{at.scope} does not belong to the tenant {query.tenant_id}")
    raw = await commands.fund(service.operator, request, actor_of(exchange), at)
    return Answer(200, raw)


async def set_caps(service: Service, exchange: Exchange) -> Answer:
    """Other caps, or none."""
    at = _place(exchange, parsed_query(BudgetAt, exchange))
    request = parse_as(CapsUpdate, await exchange.json_body())
    account = await commands.set_caps(service.operator, request, actor_of(exchange), at)
    return Answer(200, encode(caps_view(account)))


def _place(exchange: Exchange, query: BudgetAt | FundQuery) -> Place:
    """The budget that is named; a tenant reaches its own alone, a key those of its scopes."""
    at = place_of(query.scope, query.unit)
    if exchange.caller.tenant not in (None, at.tenant):
        message = f"{at.scope} belongs to another tenant than the API key"
        raise refusal(ErrorCode.FORBIDDEN, message)
    check_scope(exchange, at.scope)
    return at


async def _freeze_body(exchange: Exchange) -> Freeze:
    """Why, if anything was said."""
    body = await exchange.json_body()
    return parse_as(Freeze, body) if body else Freeze()


_OF_ONE_BUDGET: Final = (ErrorCode.BUDGET_NOT_FOUND, ErrorCode.TENANT_CLOSED)

ROWS: Final = (
    Endpoint(
        operation="createBudget",
        summary="Give a scope a budget in one unit",
        method="POST",
        path="/v1/admin/budgets",
        plane=Plane.GOVERNANCE,
        access=Access.EITHER,
        permission=Permission.BUDGETS_WRITE,
        body=BudgetCreate,
        success=BudgetView,
        statuses=(201,),
        errors=(
            ErrorCode.UNIT_MISMATCH,
            ErrorCode.TENANT_NOT_FOUND,
            ErrorCode.TENANT_CLOSED,
            ErrorCode.DUPLICATE_RESOURCE,
        ),
        handler=create,
    ),
    Endpoint(
        operation="listBudgets",
        summary="Budgets that match every given filter",
        method="GET",
        path="/v1/admin/budgets",
        plane=Plane.GOVERNANCE,
        access=Access.EITHER,
        permission=Permission.BUDGETS_READ,
        query=BudgetQuery,
        success=BudgetPage,
        handler=list_all,
    ),
    Endpoint(
        operation="lookupBudget",
        summary="The budget of one scope and unit",
        method="GET",
        path="/v1/admin/budgets/lookup",
        plane=Plane.GOVERNANCE,
        access=Access.EITHER,
        permission=Permission.BUDGETS_READ,
        query=BudgetAt,
        success=BudgetView,
        errors=(ErrorCode.BUDGET_NOT_FOUND,),
        handler=lookup,
    ),
    Endpoint(
        operation="updateBudget",
        summary="Change a budget's overdraft limit, overage policy or metadata",
        method="PATCH",
        path="/v1/admin/budgets",
        plane=Plane.GOVERNANCE,
        access=Access.ADMIN,
        permission=None,
        body=BudgetUpdate,
        query=BudgetAt,
        success=BudgetView,
        errors=(*_OF_ONE_BUDGET, ErrorCode.UNIT_MISMATCH, ErrorCode.BUDGET_CLOSED),
        handler=update,
    ),
    Endpoint(
        operation="fundBudget",
        summary="Credit, debit, reset or repay; RESET_SPENT starts a new period",
        method="POST",
        path="/v1/admin/budgets/fund",
        plane=Plane.GOVERNANCE,
        access=Access.EITHER,
        permission=Permission.BUDGETS_WRITE,
        body=Fund,
        query=FundQuery,
        success=Funded,
        errors=(
            *_OF_ONE_BUDGET,
            ErrorCode.UNIT_MISMATCH,
            ErrorCode.BUDGET_EXCEEDED,
            ErrorCode.BUDGET_FROZEN,
            ErrorCode.BUDGET_CLOSED,
            ErrorCode.IDEMPOTENCY_MISMATCH,
        ),
        handler=fund,
    ),
    Endpoint(
        operation="freezeBudget",
        summary="Take no more reservations and funds; what runs may be settled",
        method="POST",
        path="/v1/admin/budgets/freeze",
        plane=Plane.GOVERNANCE,
        access=Access.ADMIN,
        permission=None,
        body=Freeze,
        body_required=False,
        query=BudgetAt,
        success=BudgetView,
        errors=_OF_ONE_BUDGET,
        wrong_state=True,
        handler=freeze,
    ),
    Endpoint(
        operation="unfreezeBudget",
        summary="Let a frozen budget go on",
        method="POST",
        path="/v1/admin/budgets/unfreeze",
        plane=Plane.GOVERNANCE,
        access=Access.ADMIN,
        permission=None,
        body=Freeze,
        body_required=False,
        query=BudgetAt,
        success=BudgetView,
        errors=_OF_ONE_BUDGET,
        wrong_state=True,
        handler=unfreeze,
    ),
    Endpoint(
        operation="setBudgetCaps",
        summary="Cap what a budget allows from now on; without caps in the body it caps nothing",
        method="PATCH",
        path="/v1/x-runcycles/budgets",
        plane=Plane.GOVERNANCE,
        access=Access.EITHER,
        permission=Permission.BUDGETS_WRITE,
        body=CapsUpdate,
        query=BudgetAt,
        success=BudgetCaps,
        errors=(*_OF_ONE_BUDGET, ErrorCode.BUDGET_CLOSED),
        handler=set_caps,
    ),
)

"""The endpoints of budgets.

They serve tenants too. Whose budgets are meant then follows from the key alone: an admin names the
tenant, a tenant must not.
"""

from typing import Final, cast

from runcycles.errors import ErrorCode
from runcycles.wire.requests import invalid, parse_as
from runcycles_server.governance.budgets import commands, lists
from runcycles_server.governance.budgets.bodies import (
    BudgetCreate,
    BudgetPage,
    BudgetQuery,
    BudgetView,
    Fund,
    Funded,
    FundQuery,
)
from runcycles_server.governance.budgets.views import view
from runcycles_server.governance.operator import encode
from runcycles_server.governance.permissions import Permission
from runcycles_server.governance.scopes import canonical_scope, owner_of
from runcycles_server.http.endpoint import Access, Endpoint, Plane, Service
from runcycles_server.http.exchange import Answer, Exchange
from runcycles_server.http.problems import refusal
from runcycles_server.http.reading import actor_of, parsed_query


async def create(service: Service, exchange: Exchange) -> Answer:
    """A new budget."""
    request = parse_as(BudgetCreate, await exchange.json_body())
    own = exchange.caller.tenant
    if own is not None and request.tenant_id is not None:
        raise invalid("tenant_id", "leave it out: the API key says whose budget it is")
    if own is None and request.tenant_id is None:
        raise invalid("tenant_id", "the admin key must say whose budget it is")
    tenant = own or cast("str", request.tenant_id)
    account = await commands.create(service.operator, request, actor_of(exchange), tenant=tenant)
    return Answer(201, encode(view(account)))


async def list_all(service: Service, exchange: Exchange) -> Answer:
    """The budgets that match: a tenant's own, an admin's choice."""
    query = parsed_query(BudgetQuery, exchange)
    tenant = exchange.caller.tenant or query.tenant_id
    accounts = await service.operator.store.accounts(tenant)
    return Answer(200, encode(lists.page(accounts, query, tenant=tenant)))


async def fund(service: Service, exchange: Exchange) -> Answer:
    """More for a budget."""
    query = parsed_query(FundQuery, exchange)
    request = parse_as(Fund, await exchange.json_body())
    tenant = exchange.caller.tenant or query.tenant_id
    if tenant is None:
        raise invalid("tenant_id", "the admin key must say whose budget it is")
    scope = canonical_scope(query.scope)
    if exchange.caller.tenant is not None and owner_of(scope) != tenant:
        raise refusal(ErrorCode.FORBIDDEN, f"{scope} belongs to another tenant than the API key")
    raw = await commands.fund(
        service.operator,
        request,
        actor_of(exchange),
        tenant=tenant,
        scope=scope,
        unit=query.unit,
    )
    return Answer(200, raw)


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
        operation="fundBudget",
        summary="Change what a budget allocates; CREDIT adds to it",
        method="POST",
        path="/v1/admin/budgets/fund",
        plane=Plane.GOVERNANCE,
        access=Access.EITHER,
        permission=Permission.BUDGETS_WRITE,
        body=Fund,
        query=FundQuery,
        success=Funded,
        errors=(
            ErrorCode.UNIT_MISMATCH,
            ErrorCode.BUDGET_NOT_FOUND,
            ErrorCode.TENANT_CLOSED,
            ErrorCode.BUDGET_FROZEN,
            ErrorCode.BUDGET_CLOSED,
            ErrorCode.IDEMPOTENCY_MISMATCH,
        ),
        handler=fund,
    ),
)

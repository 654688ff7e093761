"""The operator's endpoints: tenants, API keys, budgets.

Some of them serve tenants too. Whose budgets are meant then follows from the key alone: an admin
names the tenant, a tenant must not.
"""

from typing import Any, TypeVar, cast

from runcycles import wire
from runcycles.errors import ErrorCode
from runcycles.wire.requests import invalid, parse_as
from runcycles_server.governance import budgets, lists, tenants
from runcycles_server.governance.bodies import (
    BudgetCreate,
    BudgetQuery,
    Fund,
    FundQuery,
    KeyCreate,
    TenantCreate,
    TenantQuery,
)
from runcycles_server.governance.operator import encode
from runcycles_server.governance.scopes import canonical_scope, owner_of
from runcycles_server.http.endpoint import Service
from runcycles_server.http.exchange import Answer, Exchange
from runcycles_server.http.problems import refusal
from runcycles_server.http.runtime import query_of

Q = TypeVar("Q")


async def create_tenant(service: Service, exchange: Exchange) -> Answer:
    """201 for a new tenant, 200 for the one that was there."""
    made = await service.operator.create_tenant(parse_as(TenantCreate, await exchange.json_body()))
    return Answer(201 if made.is_new else 200, encode(tenants.view(made.record)))


async def get_tenant(service: Service, exchange: Exchange) -> Answer:
    """One tenant."""
    found = await service.operator.tenant(exchange.path_parameter("tenant_id"))
    return Answer(200, encode(tenants.view(found)))


async def list_tenants(service: Service, exchange: Exchange) -> Answer:
    """The tenants that match."""
    query = _query(TenantQuery, exchange)
    return Answer(200, encode(lists.tenants(await service.operator.store.tenants(), query)))


async def create_key(service: Service, exchange: Exchange) -> Answer:
    """A new API key; this answer alone shows its secret."""
    request = parse_as(KeyCreate, await exchange.json_body())
    return Answer(201, encode(await service.operator.create_key(request)))


async def create_budget(service: Service, exchange: Exchange) -> Answer:
    """A new budget."""
    request = parse_as(BudgetCreate, await exchange.json_body())
    own = exchange.caller.tenant
    if own is not None and request.tenant_id is not None:
        raise invalid("tenant_id", "leave it out: the API key says whose budget it is")
    if own is None and request.tenant_id is None:
        raise invalid("tenant_id", "the admin key must say whose budget it is")
    tenant = own or cast("str", request.tenant_id)
    account = await service.operator.create_budget(request, tenant=tenant)
    return Answer(201, encode(budgets.view(account)))


async def list_budgets(service: Service, exchange: Exchange) -> Answer:
    """The budgets that match: a tenant's own, an admin's choice."""
    query = _query(BudgetQuery, exchange)
    tenant = exchange.caller.tenant or query.tenant_id
    accounts = await service.operator.store.accounts(tenant)
    return Answer(200, encode(lists.budgets(accounts, query, tenant=tenant)))


async def fund_budget(service: Service, exchange: Exchange) -> Answer:
    """More for a budget."""
    query = _query(FundQuery, exchange)
    request = parse_as(Fund, await exchange.json_body())
    tenant = exchange.caller.tenant or query.tenant_id
    if tenant is None:
        raise invalid("tenant_id", "the admin key must say whose budget it is")
    scope = canonical_scope(query.scope)
    if exchange.caller.tenant is not None and owner_of(scope) != tenant:
        raise refusal(ErrorCode.FORBIDDEN, f"{scope} belongs to another tenant than the API key")
    raw = await service.operator.fund(request, tenant=tenant, scope=scope, unit=query.unit)
    return Answer(200, raw)


def _query(query_type: type[Q], exchange: Exchange) -> Q:
    return cast("Q", wire.parse_query(cast("Any", query_type), query_of(exchange)))

"""The endpoint of the audit log."""

from typing import Final

from runcycles_server.governance.audit import lists
from runcycles_server.governance.audit.bodies import AuditLogPage, AuditLogQuery
from runcycles_server.governance.operator import encode
from runcycles_server.http.endpoint import Access, Endpoint, Plane, Service
from runcycles_server.http.exchange import Answer, Exchange
from runcycles_server.http.reading import parsed_query


async def list_all(service: Service, exchange: Exchange) -> Answer:
    """The entries that match."""
    query = parsed_query(AuditLogQuery, exchange)
    return Answer(200, encode(await lists.page(service.operator.store, query)))


ROWS: Final = (
    Endpoint(
        operation="listAuditLogs",
        summary="What was done, and what was tried and refused, that matches every given filter",
        method="GET",
        path="/v1/admin/audit/logs",
        plane=Plane.GOVERNANCE,
        access=Access.ADMIN,
        permission=None,
        query=AuditLogQuery,
        success=AuditLogPage,
        handler=list_all,
    ),
)

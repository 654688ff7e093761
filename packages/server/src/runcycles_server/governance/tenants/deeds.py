"""What is done to tenants, as the audit log has it."""

from runcycles_server.governance.audit.deeds import Deed


def deed_to_tenant(operation: str, tenant_id: str, *, status: int = 200) -> Deed:
    """Something that is done to a tenant itself."""
    return Deed(
        operation=operation,
        resource_type="tenant",
        resource_id=tenant_id,
        tenant=tenant_id,
        status=status,
    )

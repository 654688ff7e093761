-- Forget audit entries made before :audited_before_ms, and sooner those of nobody known.
DELETE FROM audit WHERE rowid IN (
    SELECT rowid FROM audit
    WHERE tenant_id = :unauthenticated AND at_ms <= :unauthenticated_before_ms
    UNION ALL
    SELECT rowid FROM audit WHERE at_ms <= :audited_before_ms
    LIMIT :limit
)
RETURNING log_id

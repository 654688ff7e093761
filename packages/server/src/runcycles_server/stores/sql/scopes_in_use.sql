-- The scopes of a tenant's reservations, at most :most, each found by one step through the index.
WITH RECURSIVE found (scope_path) AS (
    SELECT min(scope_path) FROM reservations INDEXED BY reservations_by_scope
    WHERE tenant = :tenant
    UNION ALL
    SELECT (
        SELECT min(next.scope_path) FROM reservations AS next INDEXED BY reservations_by_scope
        WHERE next.tenant = :tenant AND next.scope_path > found.scope_path
    )
    FROM found WHERE found.scope_path IS NOT NULL
    LIMIT :most
)
SELECT scope_path FROM found WHERE scope_path IS NOT NULL

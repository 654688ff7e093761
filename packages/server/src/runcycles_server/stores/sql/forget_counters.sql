-- Forget counters whose window is long over, the oldest first; the next one starts at nothing.
DELETE FROM counters WHERE rowid IN (
    SELECT rowid FROM counters WHERE expires_at_ms <= :now_ms ORDER BY expires_at_ms LIMIT :limit
)
RETURNING tenant, scope, counted, quota_window, bucket

-- Forget replies whose time is over, the oldest first; the same key is a new request then.
DELETE FROM replies WHERE rowid IN (
    SELECT rowid FROM replies WHERE expires_at_ms <= :now_ms ORDER BY expires_at_ms LIMIT :limit
)
RETURNING tenant, endpoint, idempotency_key

-- Forget reservations that ended before :ended_before_ms, the oldest end first.
DELETE FROM reservations WHERE rowid IN (
    SELECT rowid FROM reservations
    WHERE status <> 'ACTIVE'
        AND iif(finalized_at_ms >= 0, finalized_at_ms, expires_at_ms + grace_ms) <= :ended_before_ms
    ORDER BY iif(finalized_at_ms >= 0, finalized_at_ms, expires_at_ms + grace_ms)
    LIMIT :limit
)
RETURNING reservation_id

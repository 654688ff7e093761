-- Reservations whose grace is over and that still hold budget, the longest overdue first.
SELECT reservation_id FROM reservations
WHERE status = 'ACTIVE' AND expires_at_ms + grace_ms < :now_ms
ORDER BY expires_at_ms + grace_ms
LIMIT :limit

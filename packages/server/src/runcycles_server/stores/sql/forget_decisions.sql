-- Forget decisions made before :decided_before_ms, and those of which there are too many. They stand
-- in the order in which they were made, without gaps, so only the first :limit are looked at.
DELETE FROM decisions
WHERE rowid < (SELECT min(rowid) FROM decisions) + :limit
    AND (
        at_ms <= :decided_before_ms
        OR rowid <= (SELECT max(rowid) FROM decisions) - :most_decisions
    )
RETURNING decision_id

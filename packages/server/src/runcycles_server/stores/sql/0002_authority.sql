-- What operators say about actions, how often those happened, and who did and who was told what.

-- The policies of each tenant: one row, since a decision weighs all of them.
CREATE TABLE policies (
    tenant   TEXT NOT NULL UNIQUE,
    policies TEXT NOT NULL -- JSON
) STRICT;

-- The emergency stops that hold now: at most one row, since every decision looks at all of them.
CREATE TABLE stops (
    name  TEXT NOT NULL UNIQUE,
    stops TEXT NOT NULL -- JSON
) STRICT;

-- What the operator says about kinds of action that the registry does not know.
CREATE TABLE declared_kinds (
    kind            TEXT NOT NULL UNIQUE,
    risk_class      TEXT NOT NULL,
    description     TEXT,
    policy_key_spec TEXT -- JSON
) STRICT;

-- How many reservations each quota and rate limit has counted, in each of its windows.
CREATE TABLE counters (
    tenant                 TEXT    NOT NULL,
    scope                  TEXT    NOT NULL,
    counted                TEXT    NOT NULL,
    quota_window           TEXT    NOT NULL,
    bucket                 TEXT    NOT NULL, -- the minute, hour or day, or the id of the run
    used                   INTEGER NOT NULL,
    max_calls              INTEGER NOT NULL, -- the limit when it was last counted
    policy_id              TEXT    NOT NULL,
    begun_at_ms            INTEGER NOT NULL, -- what was reserved earlier is not in it
    expires_at_ms          INTEGER NOT NULL,
    last_incremented_at_ms INTEGER NOT NULL,
    UNIQUE (tenant, scope, counted, quota_window, bucket)
) STRICT;

CREATE INDEX counters_over ON counters (expires_at_ms);

-- Every deed of an operator and every attempt that was refused. Rows are added and, long after,
-- forgotten; they are never changed.
CREATE TABLE audit (
    log_id        TEXT    NOT NULL UNIQUE,
    at_ms         INTEGER NOT NULL,
    tenant_id     TEXT    NOT NULL,
    operation     TEXT    NOT NULL,
    status        INTEGER NOT NULL,
    key_id        TEXT,
    user_agent    TEXT,
    source_ip     TEXT,
    resource_type TEXT,
    resource_id   TEXT,
    request_id    TEXT,
    trace_id      TEXT,
    error_code    TEXT,
    details       TEXT -- JSON
) STRICT;

CREATE INDEX audit_by_age ON audit (at_ms);
CREATE INDEX audit_of_tenant ON audit (tenant_id, at_ms);
CREATE INDEX audit_of_resource ON audit (resource_id) WHERE resource_id IS NOT NULL;
CREATE INDEX audit_of_request ON audit (request_id) WHERE request_id IS NOT NULL;
CREATE INDEX audit_of_trace ON audit (trace_id) WHERE trace_id IS NOT NULL;

-- What each decision was made of. Every reserve adds a row, so there is no index but that of its
-- id, which grows with time as the rowid does: the oldest rows are the first, and are forgotten
-- by that; a search for another id walks through the table.
CREATE TABLE decisions (
    decision_id     TEXT    NOT NULL UNIQUE,
    tenant          TEXT    NOT NULL,
    at_ms           INTEGER NOT NULL,
    reservation_id  TEXT    NOT NULL, -- '' where nothing is held
    request_ids     TEXT    NOT NULL, -- one a line
    trace_id        TEXT    NOT NULL,
    idempotency_key TEXT    NOT NULL,
    decision        TEXT    NOT NULL,
    reason          TEXT    NOT NULL, -- '' where there is none
    facts           TEXT    NOT NULL, -- JSON
    repeats         INTEGER NOT NULL
) STRICT;

-- What the ledger and its operator keep. Every value was computed and checked before it comes here:
-- nothing is added up in SQL, so nothing can overflow or round in it.
--
-- Rows are found by their own ids, but stored in the order in which they came (rowid): ids and keys
-- that grow with time then touch the same few pages again and again.

CREATE TABLE accounts (
    tenant          TEXT    NOT NULL,
    scope           TEXT    NOT NULL,
    unit            TEXT    NOT NULL,
    allocated       INTEGER NOT NULL,
    spent           INTEGER NOT NULL,
    reserved        INTEGER NOT NULL,
    debt            INTEGER NOT NULL,
    overdraft_limit INTEGER NOT NULL,
    is_over_limit   INTEGER NOT NULL,
    status          TEXT    NOT NULL,
    budget          TEXT    NOT NULL, -- what the operator said about it, as JSON
    UNIQUE (tenant, scope, unit)
) STRICT;

CREATE TABLE tenants (
    tenant_id      TEXT    NOT NULL UNIQUE,
    status         TEXT    NOT NULL,
    overage_policy TEXT    NOT NULL,
    default_ttl_ms INTEGER NOT NULL,
    max_ttl_ms     INTEGER NOT NULL,
    max_extensions INTEGER NOT NULL,
    observe_mode   TEXT    NOT NULL,
    profile        TEXT -- what the operator said about it, as JSON
) STRICT;

CREATE TABLE reservations (
    reservation_id  TEXT    NOT NULL UNIQUE,
    tenant          TEXT    NOT NULL,
    status          TEXT    NOT NULL,
    unit            TEXT    NOT NULL,
    reserved        INTEGER NOT NULL, -- the estimate
    scope_path      TEXT    NOT NULL, -- the deepest scope; the others are its beginnings
    budgeted_scopes TEXT    NOT NULL, -- one a line, root first
    subject         TEXT    NOT NULL, -- JSON
    action          TEXT    NOT NULL, -- JSON
    metadata        TEXT    NOT NULL, -- JSON, null where there is none
    overage_policy  TEXT    NOT NULL,
    idempotency_key TEXT    NOT NULL,
    created_at_ms   INTEGER NOT NULL,
    expires_at_ms   INTEGER NOT NULL,
    grace_ms        INTEGER NOT NULL,
    max_extensions  INTEGER NOT NULL,
    extension_count INTEGER NOT NULL,
    finalized_at_ms INTEGER NOT NULL, -- by a commit or release; -1 where there was none
    settlement      TEXT    NOT NULL, -- what a commit or release said, as JSON
    counted         TEXT    NOT NULL  -- keys of the counters of its run, as JSON; '' for none
) STRICT;

-- lists are a tenant's, by default the youngest first
CREATE INDEX reservations_by_age ON reservations (tenant, created_at_ms);

-- what the sweeper expires; empty but for what runs now
CREATE INDEX reservations_due ON reservations (expires_at_ms + grace_ms) WHERE status = 'ACTIVE';

-- what the sweeper forgets, long after its end
CREATE INDEX reservations_ended ON reservations (
    iif(finalized_at_ms >= 0, finalized_at_ms, expires_at_ms + grace_ms)
) WHERE status <> 'ACTIVE';

-- The one copy of every answer; the same request gets it again.
CREATE TABLE replies (
    tenant              TEXT    NOT NULL,
    endpoint            TEXT    NOT NULL,
    idempotency_key     TEXT    NOT NULL,
    fingerprint         BLOB    NOT NULL,
    reply               BLOB    NOT NULL,
    expires_at_ms       INTEGER NOT NULL,
    reservation_id      TEXT,
    lease_expires_at_ms INTEGER,
    UNIQUE (tenant, endpoint, idempotency_key)
) STRICT;

CREATE INDEX replies_over ON replies (expires_at_ms);

CREATE TABLE api_keys (
    digest          TEXT    NOT NULL UNIQUE, -- hex SHA-256; the secret itself is kept nowhere
    key_id          TEXT    NOT NULL UNIQUE,
    tenant_id       TEXT    NOT NULL,
    key_prefix      TEXT    NOT NULL,
    name            TEXT    NOT NULL,
    status          TEXT    NOT NULL,
    created_at_ms   INTEGER NOT NULL,
    expires_at_ms   INTEGER NOT NULL,
    description     TEXT,
    permissions     TEXT    NOT NULL, -- JSON
    scope_filter    TEXT, -- JSON
    revoked_at_ms   INTEGER,
    revoked_reason  TEXT,
    metadata        TEXT, -- JSON
    last_used_at_ms INTEGER
) STRICT;

CREATE INDEX api_keys_of_tenant ON api_keys (tenant_id);

CREATE TABLE settings (
    name  TEXT NOT NULL UNIQUE,
    value TEXT NOT NULL
) STRICT;

-- The highest time any stored decision was made at: the store's clock goes on from here.
CREATE TABLE clock (
    id     INTEGER PRIMARY KEY CHECK (id = 1),
    now_ms INTEGER NOT NULL
) STRICT;
INSERT INTO clock (id, now_ms) VALUES (1, 0);

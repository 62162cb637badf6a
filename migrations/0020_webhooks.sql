-- Addresses that are told of events.
CREATE TABLE webhooks (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    team_id TEXT NOT NULL,
    -- Only events of this project. It may be gone: what happened to it is still told.
    project_id TEXT,
    -- The whole address, sealed: its path or query may be a credential.
    url BLOB NOT NULL,
    -- The address as lists and logs show it.
    address TEXT NOT NULL,
    -- Names and beginnings of names, as a JSON array.
    events TEXT NOT NULL,
    description TEXT,
    enabled INTEGER NOT NULL,
    disabled_reason TEXT,
    -- What requests are signed with, sealed, and its last characters.
    secret BLOB NOT NULL,
    secret_hint TEXT NOT NULL,
    -- The one before, which signs as well until its end.
    previous_secret BLOB,
    previous_secret_expires_at INTEGER,
    -- Attempts that failed in a row, and when the first of them was.
    failures INTEGER NOT NULL DEFAULT 0,
    failing_since INTEGER,
    -- A delivery was given up since the last that arrived.
    exhausted INTEGER NOT NULL DEFAULT 0,
    -- What came of the last attempt.
    last_delivery_id TEXT,
    last_status TEXT,
    last_response_status INTEGER,
    last_at INTEGER,
    created_by TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    revision INTEGER NOT NULL DEFAULT 1
) STRICT;
CREATE INDEX webhooks_by_team ON webhooks (team_id, seq);

-- Bodies of events that somebody is told of: made once, sent as they are each time.
CREATE TABLE webhook_messages (
    event_id TEXT PRIMARY KEY,
    event TEXT NOT NULL,
    body TEXT NOT NULL,
    created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX webhook_messages_by_time ON webhook_messages (created_at);

-- One event for one address. Written in the transaction of the event.
CREATE TABLE webhook_deliveries (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    webhook_id TEXT NOT NULL REFERENCES webhooks (id) ON DELETE CASCADE,
    event_id TEXT NOT NULL,
    event TEXT NOT NULL,
    status TEXT NOT NULL,
    -- One attempt and no more.
    once INTEGER NOT NULL DEFAULT 0,
    attempts INTEGER NOT NULL DEFAULT 0,
    -- When the next attempt is due; 0 is at once, nothing when there is none.
    next_at INTEGER,
    redelivery_of TEXT,
    created_at INTEGER NOT NULL,
    completed_at INTEGER
) STRICT;
CREATE INDEX webhook_deliveries_due ON webhook_deliveries (webhook_id, next_at, seq) WHERE next_at IS NOT NULL;
CREATE INDEX webhook_deliveries_by_webhook ON webhook_deliveries (webhook_id, seq);
CREATE INDEX webhook_deliveries_by_event ON webhook_deliveries (event_id, webhook_id);
CREATE INDEX webhook_deliveries_by_time ON webhook_deliveries (created_at);

-- One request of a delivery.
CREATE TABLE webhook_attempts (
    delivery_id TEXT NOT NULL REFERENCES webhook_deliveries (id) ON DELETE CASCADE,
    number INTEGER NOT NULL,
    started_at INTEGER NOT NULL,
    duration_ms INTEGER NOT NULL,
    -- The header `X-Orbitra-Signature` as it was sent.
    signature TEXT NOT NULL,
    response_status INTEGER,
    -- `[["name","value"],…]`, without what may be a secret.
    response_headers TEXT NOT NULL DEFAULT '[]',
    -- The first bytes of the answer.
    response_body BLOB NOT NULL DEFAULT x'',
    error TEXT,
    PRIMARY KEY (delivery_id, number)
) STRICT, WITHOUT ROWID;

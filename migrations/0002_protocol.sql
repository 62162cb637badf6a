-- What the protocol of the API needs: the audit log, answers that are given again to a repeated request.

CREATE TABLE audit_log (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    action TEXT NOT NULL,
    actor_type TEXT NOT NULL,
    actor_id TEXT NOT NULL,
    actor_name TEXT,
    user_id TEXT NOT NULL,
    target_type TEXT NOT NULL,
    target_id TEXT NOT NULL,
    target_name TEXT,
    team_id TEXT NOT NULL,
    project_id TEXT,
    ip TEXT,
    user_agent TEXT,
    request_id TEXT,
    client_request_id TEXT,
    changes TEXT NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;
CREATE INDEX audit_log_by_team ON audit_log (team_id, seq);
CREATE INDEX audit_log_by_time ON audit_log (created_at);

CREATE INDEX events_by_team ON events (team_id, seq);
CREATE INDEX events_by_time ON events (created_at);

-- Answers to requests with an Idempotency-Key, sealed. `slot` is a hash of account, method, path and key.
CREATE TABLE idempotency (
    slot BLOB PRIMARY KEY,
    fingerprint BLOB NOT NULL,
    sealed BLOB NOT NULL,
    created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX idempotency_by_time ON idempotency (created_at);

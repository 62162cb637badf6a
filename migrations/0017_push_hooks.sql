-- Addresses that a forge or a script calls when there is something to deploy.
CREATE TABLE push_hooks (
    id TEXT PRIMARY KEY,
    project_id TEXT NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    kind TEXT NOT NULL,
    provider TEXT NOT NULL,
    -- The project's own when it is missing.
    branch TEXT,
    previews INTEGER NOT NULL,
    -- SHA-256 of the token in the address. The address is shown again, so the token is kept sealed as well.
    token_hash BLOB NOT NULL UNIQUE,
    token BLOB NOT NULL,
    -- What the forge signs with, sealed; a deploy hook has none.
    secret BLOB,
    created_by TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    last_received_at INTEGER,
    revision INTEGER NOT NULL DEFAULT 1
) STRICT, WITHOUT ROWID;
CREATE INDEX push_hooks_by_project ON push_hooks (project_id, created_at);

-- What was deployed for a delivery, so that the same one makes nothing more. Written in the transaction of the deployment.
CREATE TABLE push_deliveries (
    hook_id TEXT NOT NULL REFERENCES push_hooks (id) ON DELETE CASCADE,
    -- SHA-256 of what the forge calls it.
    delivery BLOB NOT NULL,
    deployment_id TEXT NOT NULL,
    received_at INTEGER NOT NULL,
    PRIMARY KEY (hook_id, delivery)
) STRICT, WITHOUT ROWID;
CREATE INDEX push_deliveries_by_age ON push_deliveries (hook_id, received_at);

-- When a deployment last woke up or fell asleep. Of too many previews those go for which that was longest ago.
ALTER TABLE deployments ADD COLUMN used_at INTEGER;

-- Names of branches that had an address and have none any more: whoever asks is told so.
CREATE TABLE gone_branches (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    label TEXT NOT NULL UNIQUE,
    project_id TEXT NOT NULL REFERENCES projects (id) ON DELETE CASCADE
) STRICT;
CREATE INDEX gone_branches_by_project ON gone_branches (project_id, seq);

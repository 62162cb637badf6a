-- The first schema: accounts, keys, projects, deployments, events.
-- Times are milliseconds since the Unix epoch. Sealed columns hold AES-256-GCM values.

CREATE TABLE meta (
    key TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT;

CREATE TABLE teams (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    personal INTEGER NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;

CREATE TABLE users (
    id TEXT PRIMARY KEY,
    email TEXT NOT NULL UNIQUE COLLATE NOCASE,
    name TEXT NOT NULL,
    company TEXT,
    password_hash TEXT,
    plan TEXT NOT NULL,
    instance_admin INTEGER NOT NULL,
    suspended INTEGER NOT NULL DEFAULT 0,
    team_id TEXT NOT NULL REFERENCES teams (id),
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    revision INTEGER NOT NULL DEFAULT 1
) STRICT;

CREATE TABLE sessions (
    id_hash BLOB PRIMARY KEY,
    user_id TEXT REFERENCES users (id) ON DELETE CASCADE,
    record BLOB NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT;
CREATE INDEX sessions_by_user ON sessions (user_id);

CREATE TABLE api_keys (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    hash BLOB NOT NULL UNIQUE,
    prefix TEXT NOT NULL,
    last4 TEXT NOT NULL,
    scopes TEXT NOT NULL,
    allowed_ips TEXT NOT NULL,
    project_ids TEXT NOT NULL,
    expires_at INTEGER,
    last_used_at INTEGER,
    last_used_ip TEXT,
    created_at INTEGER NOT NULL,
    revoked_at INTEGER
) STRICT;
CREATE INDEX api_keys_by_user ON api_keys (user_id);

CREATE TABLE projects (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    team_id TEXT NOT NULL REFERENCES teams (id),
    name TEXT NOT NULL,
    region TEXT NOT NULL,
    framework TEXT,
    description TEXT,
    source TEXT NOT NULL,
    build TEXT NOT NULL,
    runtime TEXT NOT NULL,
    auto_deploy INTEGER NOT NULL,
    preview_deployments INTEGER NOT NULL,
    keep_images INTEGER NOT NULL,
    live_deployment_id TEXT REFERENCES deployments (id),
    network_index INTEGER NOT NULL UNIQUE,
    -- Set by DELETE; the row goes when nothing of the project is left on the engine.
    deleted_at INTEGER,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    revision INTEGER NOT NULL DEFAULT 1
) STRICT;
CREATE UNIQUE INDEX projects_by_name ON projects (name) WHERE deleted_at IS NULL;
CREATE INDEX projects_by_team ON projects (team_id, seq) WHERE deleted_at IS NULL;

CREATE TABLE deployments (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    project_id TEXT NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    state TEXT NOT NULL,
    target TEXT NOT NULL,
    trigger TEXT NOT NULL,
    promote INTEGER NOT NULL,
    message TEXT,
    git_url TEXT NOT NULL,
    branch TEXT,
    wanted_commit TEXT,
    root_dir TEXT NOT NULL,
    clear_cache INTEGER NOT NULL,
    commit_sha TEXT,
    commit_message TEXT,
    commit_author TEXT,
    plan TEXT,
    hostname TEXT NOT NULL UNIQUE,
    image TEXT,
    container_id TEXT,
    address TEXT,
    run_state TEXT NOT NULL DEFAULT 'none',
    failure TEXT,
    cancel_reason TEXT,
    cancel_requested TEXT,
    -- How often it began again after Orbitra stopped in the middle.
    restarts INTEGER NOT NULL DEFAULT 0,
    created_by TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    started_at INTEGER,
    built_at INTEGER,
    live_at INTEGER,
    finished_at INTEGER,
    revision INTEGER NOT NULL DEFAULT 1
) STRICT;
CREATE INDEX deployments_by_project ON deployments (project_id, seq);
CREATE INDEX deployments_unfinished ON deployments (seq)
    WHERE state IN ('queued', 'cloning', 'detecting', 'building', 'starting', 'checking');
CREATE INDEX deployments_with_container ON deployments (container_id) WHERE container_id IS NOT NULL;

-- The variables a deployment was made with.
CREATE TABLE deployment_env (
    deployment_id TEXT NOT NULL REFERENCES deployments (id) ON DELETE CASCADE,
    key TEXT NOT NULL,
    sealed BLOB NOT NULL,
    PRIMARY KEY (deployment_id, key)
) STRICT, WITHOUT ROWID;

CREATE TABLE deployment_phases (
    deployment_id TEXT NOT NULL REFERENCES deployments (id) ON DELETE CASCADE,
    phase TEXT NOT NULL,
    started_at INTEGER NOT NULL,
    finished_at INTEGER,
    PRIMARY KEY (deployment_id, phase)
) STRICT, WITHOUT ROWID;

-- One ordered log of what happened, written in the transaction of the change.
CREATE TABLE events (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    event TEXT NOT NULL,
    team_id TEXT NOT NULL,
    project_id TEXT,
    data TEXT NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;

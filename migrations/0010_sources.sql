-- What private repositories are read with. Both are sealed for their project.

CREATE TABLE source_credentials (
    project_id TEXT PRIMARY KEY REFERENCES projects (id) ON DELETE CASCADE,
    -- Scheme, host and port of the one server the token is for.
    origin TEXT NOT NULL,
    sealed BLOB NOT NULL,
    created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE deploy_keys (
    project_id TEXT PRIMARY KEY REFERENCES projects (id) ON DELETE CASCADE,
    -- Ed25519, 32 bytes.
    public_key BLOB NOT NULL,
    -- The seed of the private half.
    sealed BLOB NOT NULL,
    created_at INTEGER NOT NULL,
    revision INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

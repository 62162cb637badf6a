-- Branches and tags of repositories that were pushed to this server. The objects lie in the data directory; what is not
-- named here was never pushed.
CREATE TABLE pushed_refs (
    project_id TEXT NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    -- `refs/heads/main`
    name TEXT NOT NULL,
    -- 40 hexadecimal digits.
    object TEXT NOT NULL,
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (project_id, name)
) STRICT, WITHOUT ROWID;

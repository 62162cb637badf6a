-- Variables of projects; deployments keep the set they were made with.

CREATE TABLE env_vars (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    project_id TEXT NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    key TEXT NOT NULL,
    target TEXT NOT NULL,
    sealed BLOB NOT NULL,
    sensitive INTEGER NOT NULL,
    source TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    updated_by TEXT NOT NULL,
    -- Of all variables of the project that ever were, so that one that is made again is not taken for the first.
    revision INTEGER NOT NULL,
    UNIQUE (project_id, key, target)
) STRICT;

-- Count changes: of what production deployments get, and of what previews get.
ALTER TABLE projects ADD COLUMN env_revision INTEGER NOT NULL DEFAULT 0;
ALTER TABLE projects ADD COLUMN preview_env_revision INTEGER NOT NULL DEFAULT 0;
-- The count of its target that a deployment was made at.
ALTER TABLE deployments ADD COLUMN env_revision INTEGER NOT NULL DEFAULT 0;
-- Whether the request for the deployment brought it, and not the project.
ALTER TABLE deployment_env ADD COLUMN own INTEGER NOT NULL DEFAULT 1;

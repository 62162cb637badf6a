-- Versions that a project was built with, so that a new default never changes it.

CREATE TABLE project_pins (
    project_id TEXT NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    -- `python`
    name TEXT NOT NULL,
    -- `3.13`
    version TEXT NOT NULL,
    -- The deployment that brought it.
    deployment_id TEXT NOT NULL,
    pinned_at INTEGER NOT NULL,
    PRIMARY KEY (project_id, name)
) STRICT, WITHOUT ROWID;

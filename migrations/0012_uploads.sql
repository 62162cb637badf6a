-- Other sources of a deployment than a repository: an uploaded archive, a prebuilt image.

CREATE TABLE uploads (
    id TEXT PRIMARY KEY,
    project_id TEXT NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    size_bytes INTEGER NOT NULL,
    sha256 TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    -- Set by the first deployment of it; from then on it is kept for as long as a deployment names it.
    consumed_at INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX uploads_by_project ON uploads (project_id, expires_at);

ALTER TABLE deployments ADD COLUMN upload_id TEXT;
CREATE INDEX deployments_by_upload ON deployments (upload_id) WHERE upload_id IS NOT NULL;
-- The image that was asked for, as it was asked for.
ALTER TABLE deployments ADD COLUMN image_reference TEXT;
-- The same with its digest in the place of its tag: what is really run.
ALTER TABLE deployments ADD COLUMN image_pin TEXT;
-- Whether the engine has that image because of Orbitra; another's is never removed.
ALTER TABLE deployments ADD COLUMN image_pulled INTEGER NOT NULL DEFAULT 0;
CREATE INDEX deployments_by_pin ON deployments (image_pin) WHERE image_pin IS NOT NULL;

-- Credentials for private registries of images.
CREATE TABLE registries (
    id TEXT PRIMARY KEY,
    team_id TEXT NOT NULL REFERENCES teams (id) ON DELETE CASCADE,
    host TEXT NOT NULL,
    username TEXT NOT NULL,
    sealed BLOB NOT NULL,
    created_at INTEGER NOT NULL,
    UNIQUE (team_id, host)
) STRICT, WITHOUT ROWID;

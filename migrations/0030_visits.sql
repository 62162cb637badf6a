-- Visitors who were let in behind a wall, by the hash of their cookie. They end with the session they come from.
CREATE TABLE visits (
    cookie_hash BLOB PRIMARY KEY,
    host TEXT NOT NULL,
    project_id TEXT NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    user_id TEXT NOT NULL,
    session_hash BLOB NOT NULL REFERENCES sessions (id_hash) ON DELETE CASCADE,
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX visits_by_session ON visits (session_hash);
CREATE INDEX visits_by_project ON visits (project_id);

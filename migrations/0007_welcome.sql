-- Links with which the owner of a new account chooses a password. Only a hash of the token is kept.

CREATE TABLE welcome (
    token_hash BLOB PRIMARY KEY,
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    expires_at INTEGER NOT NULL,
    -- A link works once; its row stays, so that the page can say so.
    used_at INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX welcome_by_user ON welcome (user_id);

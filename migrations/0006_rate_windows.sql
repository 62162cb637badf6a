-- Windows in which requests are counted, so that a restart hands out no fresh ones.

CREATE TABLE rate_windows (
    -- The id of an account, or an address.
    subject TEXT PRIMARY KEY,
    is_address INTEGER NOT NULL,
    began_at INTEGER NOT NULL,
    used INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX rate_windows_by_time ON rate_windows (is_address, began_at);

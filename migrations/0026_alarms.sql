-- What is wrong with the server now and was told of. A row goes when it is over, so that it is told again the next time.
CREATE TABLE alarms (
    -- The event it was told with.
    event TEXT PRIMARY KEY,
    raised_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- What is known of a deployment once it is over: written in the transaction that makes it ready or failed.

CREATE TABLE receipts (
    deployment_id TEXT PRIMARY KEY REFERENCES deployments (id) ON DELETE CASCADE,
    -- JSON; holds names of variables and keyed digests of their values, never a value.
    body TEXT NOT NULL,
    -- JSON array: the last lines that an application which failed wrote, with secrets masked.
    output TEXT NOT NULL DEFAULT '[]',
    written_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Mails that tell accounts of what is theirs, until they are sent or given up. Written in the transaction of what they tell.
CREATE TABLE account_mails (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    event_id TEXT NOT NULL,
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    -- Subject and text, as JSON.
    letter TEXT NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    -- When the next attempt is due.
    next_at INTEGER NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;
CREATE INDEX account_mails_due ON account_mails (next_at, seq);

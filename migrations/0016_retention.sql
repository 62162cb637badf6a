-- What is kept for how long, and what was removed to make room.

-- The engine's build cache as it was last looked at, with whose each record is.
CREATE TABLE build_cache (
    id TEXT PRIMARY KEY,
    -- The one project it is for; several, or nobody who can be named, when it is missing.
    project_id TEXT REFERENCES projects (id) ON DELETE SET NULL,
    -- Whether builds of this instance made it; only then it may be removed.
    ours INTEGER NOT NULL,
    -- Whether it counts as this instance's.
    counts INTEGER NOT NULL,
    -- Without what images hold as well.
    bytes INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    last_used_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX build_cache_by_project ON build_cache (project_id);

-- Somebody asks for room.
CREATE TABLE gc_wishes (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    images INTEGER NOT NULL,
    build_cache INTEGER NOT NULL,
    requested_at INTEGER NOT NULL,
    done_at INTEGER
) STRICT;

-- Everything that was removed to make room. It is written before anything is done, and outlives what it names.
CREATE TABLE gc_ledger (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL,
    rule TEXT NOT NULL,
    -- For people.
    name TEXT NOT NULL,
    -- What the engine or the disk calls it, as a JSON array.
    names TEXT NOT NULL,
    project_id TEXT,
    deployment_id TEXT,
    -- Expected, and what really came free once it is done.
    bytes INTEGER NOT NULL,
    wish INTEGER,
    begun_at INTEGER NOT NULL,
    done_at INTEGER
) STRICT;
CREATE INDEX gc_ledger_unfinished ON gc_ledger (seq) WHERE done_at IS NULL;
CREATE INDEX gc_ledger_by_wish ON gc_ledger (wish) WHERE wish IS NOT NULL;

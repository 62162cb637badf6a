-- How a project talks to the forge that its code comes from.
CREATE TABLE forges (
    project_id TEXT PRIMARY KEY REFERENCES projects (id) ON DELETE CASCADE,
    kind TEXT NOT NULL,
    -- Where the API begins, `https://api.github.com`.
    api_url TEXT NOT NULL,
    -- Sealed for the project and the address.
    token BLOB NOT NULL,
    -- Why the forge did not take the newest status; missing when it did.
    trouble TEXT,
    told_at INTEGER,
    created_at INTEGER NOT NULL,
    revision INTEGER NOT NULL DEFAULT 1
) STRICT, WITHOUT ROWID;

-- What a forge is still to be told of the commit of a deployment. Written in the transaction that accepts the
-- deployment; what is told follows from where the deployment stands by then.
CREATE TABLE commit_statuses (
    deployment_id TEXT PRIMARY KEY REFERENCES deployments (id) ON DELETE CASCADE,
    project_id TEXT NOT NULL,
    -- What it was told last.
    told TEXT,
    -- What was tried last, and how often in vain.
    tried TEXT,
    attempts INTEGER NOT NULL DEFAULT 0,
    next_at INTEGER NOT NULL,
    -- Nothing more is to be told.
    done INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;
CREATE INDEX commit_statuses_open ON commit_statuses (next_at) WHERE NOT done;

-- Whether pull and merge requests make previews.
ALTER TABLE push_hooks ADD COLUMN pull_requests INTEGER NOT NULL DEFAULT 0;

-- Whether the code is a stranger's, of a fork: it gets no variable that is marked sensitive, and no cache of the project's.
ALTER TABLE deployments ADD COLUMN untrusted INTEGER NOT NULL DEFAULT 0;

-- Whether what is pushed is deployed only after the forge's checks.
ALTER TABLE push_hooks ADD COLUMN wait_for_checks INTEGER NOT NULL DEFAULT 0;
-- Until when a deployment waits in the queue for them, and when they are looked at next; missing when it does not wait.
ALTER TABLE deployments ADD COLUMN checks_until INTEGER;
ALTER TABLE deployments ADD COLUMN checks_next INTEGER;
CREATE INDEX deployments_by_checks ON deployments (checks_next) WHERE checks_until IS NOT NULL AND state = 'queued';

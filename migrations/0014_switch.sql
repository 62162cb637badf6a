-- How traffic moves: held switches, the watch over a new deployment, releases that are paused after a rollback.

-- Whether it may not run beside another deployment of its project; decided when it was started.
ALTER TABLE deployments ADD COLUMN alone INTEGER NOT NULL DEFAULT 0;

-- Since when new deployments do not get the traffic by themselves.
ALTER TABLE projects ADD COLUMN release_paused_at INTEGER;

-- `own` or `current`: with the variables the deployment was made with, or with those of today.
ALTER TABLE releases ADD COLUMN variables TEXT NOT NULL DEFAULT 'own';
-- Of a return by itself: the deployment the traffic comes back from.
ALTER TABLE releases ADD COLUMN from_id TEXT;

-- Projects whose requests wait in the proxy: `from_id`, which had the traffic, is stopped before `to_id` is started. The row
-- goes in the transaction of the switch; one that a crash left means that `from_id` serves again.
CREATE TABLE holds (
    project_id TEXT PRIMARY KEY REFERENCES projects (id) ON DELETE CASCADE,
    from_id TEXT NOT NULL,
    to_id TEXT NOT NULL,
    since INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Deployments that got the traffic a moment ago and give it back when they crash or fail.
CREATE TABLE watches (
    project_id TEXT PRIMARY KEY REFERENCES projects (id) ON DELETE CASCADE,
    deployment_id TEXT NOT NULL,
    previous_id TEXT NOT NULL,
    -- The one before failed as well: then failing requests mean nothing.
    previous_failed INTEGER NOT NULL,
    until INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Promoting, rolling back, restarting, pausing and deleting deployments.

ALTER TABLE projects ADD COLUMN paused_at INTEGER;
-- The deployment a redeploy was made from; it may be deleted.
ALTER TABLE deployments ADD COLUMN source_deployment_id TEXT;
-- When another deployment last took its traffic.
ALTER TABLE deployments ADD COLUMN superseded_at INTEGER;
-- Set by DELETE; the row goes when nothing of the deployment is left on the engine.
ALTER TABLE deployments ADD COLUMN deleted_at INTEGER;
UPDATE deployments SET superseded_at = live_at
    WHERE live_at IS NOT NULL AND id NOT IN (SELECT live_deployment_id FROM projects WHERE live_deployment_id IS NOT NULL);

-- What is to get a project's traffic, or to be started anew. The row goes in the transaction of the switch.
CREATE TABLE releases (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    project_id TEXT NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    -- `switch` or `restart`: one of each may wait, and a switch goes first.
    lane TEXT NOT NULL,
    kind TEXT NOT NULL,
    deployment_id TEXT NOT NULL REFERENCES deployments (id) ON DELETE CASCADE,
    phase TEXT NOT NULL,
    -- How often it was begun; more than a few mean that it takes Orbitra down.
    attempts INTEGER NOT NULL DEFAULT 0,
    requested_at INTEGER NOT NULL,
    UNIQUE (project_id, lane)
) STRICT;
CREATE INDEX releases_by_deployment ON releases (deployment_id);

-- Host names of deleted deployments; they answer 410.
CREATE TABLE gone_hosts (
    hostname TEXT PRIMARY KEY,
    project_id TEXT NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    gone_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX gone_hosts_by_project ON gone_hosts (project_id, gone_at);

CREATE INDEX deployments_superseded ON deployments (project_id, superseded_at) WHERE superseded_at IS NOT NULL;
CREATE INDEX deployments_running ON deployments (seq) WHERE run_state = 'running';
CREATE INDEX deployments_deleted ON deployments (seq) WHERE deleted_at IS NOT NULL;

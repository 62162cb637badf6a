-- Deployments that sleep, and the addresses of branches.

DROP INDEX deployments_running;
CREATE INDEX deployments_awake ON deployments (seq) WHERE run_state IN ('running', 'paused');
-- Replaced a short time ago: their hashed files are still asked for.
CREATE INDEX deployments_replaced ON deployments (superseded_at) WHERE superseded_at IS NOT NULL;

-- The newest ready deployment of each branch answers at `label` under the base domain. Written in the transaction that
-- makes it ready.
CREATE TABLE branch_hosts (
    label TEXT PRIMARY KEY,
    project_id TEXT NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    branch TEXT NOT NULL,
    deployment_id TEXT NOT NULL REFERENCES deployments (id) ON DELETE CASCADE,
    UNIQUE (project_id, branch)
) STRICT, WITHOUT ROWID;
CREATE INDEX branch_hosts_by_deployment ON branch_hosts (deployment_id);

-- A name under the base domain is one thing's alone, whichever of the three came first.
CREATE TRIGGER branch_hosts_are_free BEFORE INSERT ON branch_hosts
WHEN EXISTS (SELECT 1 FROM projects WHERE name = NEW.label AND deleted_at IS NULL)
    -- Host names that begin with the label and a dot; `/` is the character after the dot.
    OR EXISTS (SELECT 1 FROM deployments WHERE hostname > NEW.label || '.' AND hostname < NEW.label || '/')
    OR EXISTS (SELECT 1 FROM gone_hosts WHERE hostname > NEW.label || '.' AND hostname < NEW.label || '/')
BEGIN
    SELECT RAISE(ABORT, 'taken: branch_hosts.label');
END;
CREATE TRIGGER projects_are_no_branches BEFORE INSERT ON projects
WHEN EXISTS (SELECT 1 FROM branch_hosts WHERE label = NEW.name)
BEGIN
    SELECT RAISE(ABORT, 'taken: projects.name');
END;
CREATE TRIGGER renamed_projects_are_no_branches BEFORE UPDATE OF name ON projects
WHEN NEW.name <> OLD.name AND EXISTS (SELECT 1 FROM branch_hosts WHERE label = NEW.name)
BEGIN
    SELECT RAISE(ABORT, 'taken: projects.name');
END;
CREATE TRIGGER deployments_are_no_branches BEFORE INSERT ON deployments
WHEN EXISTS (SELECT 1 FROM branch_hosts WHERE label = substr(NEW.hostname, 1, instr(NEW.hostname, '.') - 1))
BEGIN
    SELECT RAISE(ABORT, 'taken: deployments.hostname');
END;

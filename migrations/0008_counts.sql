-- How long lists are, kept beside the rows: counting 100,000 rows for each page takes longer than the page.

-- The team of the project, so that a team's deployments are found in their order.
ALTER TABLE deployments ADD COLUMN team_id TEXT;
UPDATE deployments SET team_id = (SELECT team_id FROM projects WHERE projects.id = project_id);
CREATE INDEX deployments_by_team ON deployments (team_id, seq);

CREATE TABLE team_counts (
    team_id TEXT PRIMARY KEY,
    projects INTEGER NOT NULL DEFAULT 0,
    deployments INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;

-- Gone with the project's row.
CREATE TABLE project_counts (
    project_id TEXT PRIMARY KEY,
    deployments INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;

INSERT INTO project_counts (project_id, deployments)
    SELECT p.id, (SELECT count(*) FROM deployments d WHERE d.project_id = p.id AND d.deleted_at IS NULL) FROM projects p;
INSERT INTO team_counts (team_id, projects, deployments)
    SELECT p.team_id, count(*), sum(c.deployments) FROM projects p JOIN project_counts c ON c.project_id = p.id
    WHERE p.deleted_at IS NULL GROUP BY p.team_id;

CREATE TRIGGER project_added AFTER INSERT ON projects BEGIN
    INSERT INTO project_counts (project_id) VALUES (NEW.id);
    INSERT INTO team_counts (team_id, projects) VALUES (NEW.team_id, 1)
        ON CONFLICT DO UPDATE SET projects = projects + 1;
END;

CREATE TRIGGER project_deleted AFTER UPDATE OF deleted_at ON projects
WHEN OLD.deleted_at IS NULL AND NEW.deleted_at IS NOT NULL BEGIN
    UPDATE team_counts SET projects = projects - 1,
        deployments = deployments - (SELECT deployments FROM project_counts WHERE project_id = OLD.id)
    WHERE team_id = OLD.team_id;
END;

CREATE TRIGGER project_gone AFTER DELETE ON projects BEGIN
    DELETE FROM project_counts WHERE project_id = OLD.id;
END;

CREATE TRIGGER deployment_added AFTER INSERT ON deployments BEGIN
    UPDATE deployments SET team_id = (SELECT team_id FROM projects WHERE id = NEW.project_id) WHERE seq = NEW.seq;
    UPDATE project_counts SET deployments = deployments + 1 WHERE project_id = NEW.project_id;
    UPDATE team_counts SET deployments = deployments + 1
    WHERE team_id = (SELECT team_id FROM projects WHERE id = NEW.project_id AND deleted_at IS NULL);
END;

CREATE TRIGGER deployment_deleted AFTER UPDATE OF deleted_at ON deployments
WHEN OLD.deleted_at IS NULL AND NEW.deleted_at IS NOT NULL BEGIN
    UPDATE project_counts SET deployments = deployments - 1 WHERE project_id = OLD.project_id;
    UPDATE team_counts SET deployments = deployments - 1
    WHERE team_id = (SELECT team_id FROM projects WHERE id = OLD.project_id AND deleted_at IS NULL);
END;

CREATE TRIGGER deployment_gone AFTER DELETE ON deployments WHEN OLD.deleted_at IS NULL BEGIN
    UPDATE project_counts SET deployments = deployments - 1 WHERE project_id = OLD.project_id;
    UPDATE team_counts SET deployments = deployments - 1
    WHERE team_id = (SELECT team_id FROM projects WHERE id = OLD.project_id AND deleted_at IS NULL);
END;

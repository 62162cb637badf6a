-- Keys that change and are replaced, and tokens of one project.

ALTER TABLE api_keys ADD COLUMN revision INTEGER NOT NULL DEFAULT 1;
-- The project of a token. No reference: a revoked token stays listed in the log of its use after the project is gone.
ALTER TABLE api_keys ADD COLUMN project_id TEXT;
CREATE INDEX api_keys_by_project ON api_keys (project_id) WHERE project_id IS NOT NULL;

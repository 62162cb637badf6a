-- A deployment runs in one container or in several of one image. A row is written before its container is made.
CREATE TABLE replicas (
    deployment_id TEXT NOT NULL REFERENCES deployments (id) ON DELETE CASCADE,
    -- From 1.
    number INTEGER NOT NULL,
    -- The engine's identifier, once it is made.
    container_id TEXT,
    -- `address:port` where it was found last. It stays when the container stops, so that the port is known.
    address TEXT,
    -- Whether it is at its address now: it gets requests while its deployment runs.
    serves INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (deployment_id, number)
) STRICT, WITHOUT ROWID;
CREATE INDEX replicas_by_container ON replicas (container_id) WHERE container_id IS NOT NULL;
CREATE INDEX replicas_serving ON replicas (address) WHERE serves = 1;

INSERT INTO replicas (deployment_id, number, container_id, address, serves)
SELECT id, 1, container_id, address, run_state IN ('running', 'paused') AND address IS NOT NULL
FROM deployments WHERE container_id IS NOT NULL;

DROP INDEX deployments_with_container;
ALTER TABLE deployments DROP COLUMN container_id;
ALTER TABLE deployments DROP COLUMN address;

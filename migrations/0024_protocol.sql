-- What a deployment's application speaks: `http1` or `h2c`. It stays what it was when the deployment started.
ALTER TABLE deployments ADD COLUMN protocol TEXT NOT NULL DEFAULT 'http1';

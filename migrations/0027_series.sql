-- Figures over time. Of a block of intervals there is one row; what it holds is written by the program, because a
-- table with a row for each interval would be ten times as large.

CREATE TABLE series (
    id INTEGER PRIMARY KEY,
    project_id TEXT NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    -- No reference: what a deployment has answered is its project's also when it is gone.
    deployment_id TEXT NOT NULL,
    -- Which of its containers, from 1; 0 is its requests.
    instance INTEGER NOT NULL,
    UNIQUE (deployment_id, instance)
) STRICT;
CREATE INDEX series_by_project ON series (project_id);

CREATE TABLE series_blocks (
    series INTEGER NOT NULL REFERENCES series (id) ON DELETE CASCADE,
    -- Seconds of an interval: 15, 60 or 3600.
    step INTEGER NOT NULL,
    -- Where the block begins, in seconds since the epoch.
    start INTEGER NOT NULL,
    points BLOB NOT NULL,
    PRIMARY KEY (series, step, start)
) STRICT, WITHOUT ROWID;

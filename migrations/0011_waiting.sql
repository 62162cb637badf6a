-- What a queued deployment waits for although it is its turn, such as memory; for people.
ALTER TABLE deployments ADD COLUMN waiting TEXT;

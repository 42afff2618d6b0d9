BEGIN;
CREATE TABLE visits (at timestamptz NOT NULL, PRIMARY KEY (at)) PARTITION BY RANGE (at);
COMMIT;
CREATE INDEX CONCURRENTLY visits_at_idx ON visits (at);

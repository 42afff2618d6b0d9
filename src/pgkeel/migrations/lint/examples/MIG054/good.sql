BEGIN;
CREATE TABLE visits (at timestamptz NOT NULL, PRIMARY KEY (at)) PARTITION BY RANGE (at);
CREATE INDEX visits_at_idx ON visits (at);
COMMIT;

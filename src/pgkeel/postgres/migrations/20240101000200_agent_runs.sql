-- Up Migration
BEGIN;

-- One due time of one job. The row is written in the transaction that the job first writes in, and completed once.
CREATE TABLE pgkeel.agent_runs (
    job         text        NOT NULL,
    due         timestamptz NOT NULL,
    agent       text        NOT NULL,
    started_at  timestamptz NOT NULL,
    finished_at timestamptz,
    CONSTRAINT agent_runs_pkey PRIMARY KEY (job, due)
);
CREATE INDEX idx_agent_runs_due ON pgkeel.agent_runs (due);
COMMIT;

-- Down Migration
BEGIN;
DROP TABLE pgkeel.agent_runs;
COMMIT;

-- one row: the due time, when this run may go on; none when it was completed before
INSERT INTO pgkeel.agent_runs AS run (job, due, agent, started_at)
VALUES (%(job)s, %(due)s, %(agent)s, %(now)s)
ON CONFLICT (job, due) DO UPDATE
    SET agent = excluded.agent, started_at = excluded.started_at
    WHERE run.finished_at IS NULL
RETURNING run.due

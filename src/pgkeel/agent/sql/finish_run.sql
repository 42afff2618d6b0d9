-- one row: the due time, completed now; none when it was completed before
INSERT INTO pgkeel.agent_runs AS run (job, due, agent, started_at, finished_at)
VALUES (%(job)s, %(due)s, %(agent)s, %(now)s, %(now)s)
ON CONFLICT (job, due) DO UPDATE
    SET agent = excluded.agent, finished_at = excluded.finished_at
    WHERE run.finished_at IS NULL
RETURNING run.due

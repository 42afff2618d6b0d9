-- one row deleted per due time of the job that is long past and older than the one completed now
DELETE FROM pgkeel.agent_runs
WHERE job = %(job)s AND due < %(due)s AND due < %(before)s

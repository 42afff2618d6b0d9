-- one row deleted per due time that nobody asks about any more
DELETE FROM pgkeel.agent_runs
WHERE due < %(before)s

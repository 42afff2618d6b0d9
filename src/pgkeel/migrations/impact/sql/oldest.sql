-- one row: the session whose transaction is the oldest here; an index build beside the traffic waits for it
SELECT pid,
       coalesce(nullif(application_name, ''), usename, '') AS application,
       extract(epoch FROM clock_timestamp() - xact_start)::float8 AS seconds
FROM pg_stat_activity
WHERE datname = current_database() AND backend_type = 'client backend' AND xact_start IS NOT NULL AND pid <> pg_backend_pid()
ORDER BY xact_start
LIMIT 1

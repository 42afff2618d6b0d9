-- one row: how long the session that waits longest for a session has waited, in seconds; NULL when none does
SELECT max(extract(epoch FROM clock_timestamp() - waiting.waitstart))::float8 AS seconds
FROM pg_locks AS waiting
WHERE NOT waiting.granted
  AND waiting.waitstart IS NOT NULL
  AND %(pid)s = ANY (pg_blocking_pids(waiting.pid))
ORDER BY 1

-- one row: a session that a waiting session waits for
SELECT session.pid,
       coalesce(session.usename, '') AS login,
       coalesce(session.application_name, '') AS application,
       coalesce(session.state, '') AS state,
       coalesce(extract(epoch FROM clock_timestamp() - session.xact_start), 0)::float8 AS seconds,
       left(coalesce(session.query, ''), 200) AS query
FROM unnest(pg_blocking_pids(%(pid)s)) AS blocking (pid)
JOIN pg_stat_activity AS session ON session.pid = blocking.pid
ORDER BY seconds DESC, session.pid

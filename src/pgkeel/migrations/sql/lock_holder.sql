-- one row: the session that holds the runner's lock
SELECT session.pid,
       session.usename AS login,
       session.application_name AS application,
       coalesce(host(session.client_addr), 'local') AS host,
       session.backend_start AS since
FROM pg_locks AS held
JOIN pg_stat_activity AS session ON session.pid = held.pid
WHERE held.locktype = 'advisory'
  AND held.granted
  AND held.database = (SELECT oid FROM pg_database WHERE datname = current_database())
  AND (held.classid::bigint << 32) + held.objid::bigint = %(key)s
  AND held.objsubid = 1
ORDER BY session.pid
LIMIT 1

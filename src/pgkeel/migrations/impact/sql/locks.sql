-- one row: a lock on a relation of this database that a session has or waits for
SELECT relation::bigint AS relation, mode
FROM pg_locks
WHERE pid = %(pid)s
  AND locktype = 'relation'
  AND relation >= 16384
  AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
ORDER BY relation, mode

-- one row: whether this login may close the open WAL segment
SELECT has_function_privilege('pg_switch_wal()', 'EXECUTE') AS may
ORDER BY 1

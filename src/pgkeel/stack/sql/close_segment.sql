-- one row: where the open WAL segment was closed, so that it is archived; null where this login may not do that
SELECT CASE WHEN has_function_privilege('pg_switch_wal()', 'EXECUTE') THEN pg_switch_wal()::text END AS switched
ORDER BY 1

-- one row: where the open WAL segment was closed, so that it is archived
SELECT pg_switch_wal()::text AS switched
ORDER BY 1

-- one row: a named place in the WAL was made, and the segment that holds it is closed
SELECT pg_create_restore_point(%(name)s)::text AS lsn, pg_switch_wal()::text AS switched ORDER BY 1

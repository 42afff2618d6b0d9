-- one row: where a message that says nothing was written into the WAL, which is on the disk once its transaction is committed
SELECT
    pg_logical_emit_message(true, 'pgkeel', 'recover rows')::text AS lsn,
    ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::int4 AS timeline
ORDER BY 1

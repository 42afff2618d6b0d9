-- one row: the connected database, the server's clock, and where its WAL is
SELECT
    current_database() AS database,
    clock_timestamp() AS at,
    CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END::text AS lsn
ORDER BY 1

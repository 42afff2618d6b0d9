-- Whether replay has stopped, and the place up to which WAL was replayed.
SELECT
    CASE WHEN pg_is_in_recovery() THEN pg_get_wal_replay_pause_state() ELSE 'ended' END AS state,
    COALESCE(pg_last_wal_replay_lsn()::text, '0/0') AS lsn;

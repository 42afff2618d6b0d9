-- one row: the receiver's replication slot, none when there is none
SELECT
    active,
    wal_status,
    restart_lsn::text AS restart_lsn,
    safe_wal_size::int8 AS safe_bytes,
    pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn)::int8 AS behind_bytes
FROM pg_replication_slots
WHERE slot_name = %(slot)s
ORDER BY slot_name

-- one row: the end of the WAL, and how many bytes the slot is behind it
SELECT pg_current_wal_flush_lsn()::text AS now,
       greatest(pg_wal_lsn_diff(pg_current_wal_flush_lsn(), confirmed_flush_lsn), 0)::bigint AS behind
FROM pg_replication_slots
WHERE slot_name = %(slot)s
ORDER BY slot_name

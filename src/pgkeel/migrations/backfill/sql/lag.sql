-- one row: how far the standby that is farthest behind is, in bytes of WAL; NULL without one, or where this login may not see
SELECT max(pg_wal_lsn_diff(pg_current_wal_lsn(), replay_lsn))::bigint AS behind
FROM pg_stat_replication
ORDER BY 1

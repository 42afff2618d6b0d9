-- one row: a table that this transaction has read from end to end, and how often
SELECT relid::bigint AS relation, seq_scan AS count
FROM pg_stat_xact_user_tables
WHERE seq_scan > 0
ORDER BY relid

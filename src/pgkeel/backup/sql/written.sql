-- one row: how far the server has written its WAL
SELECT pg_current_wal_lsn()::text AS lsn ORDER BY 1

-- one row: where a new segment of WAL begins: what was written before lies in files that are not written to any more
SELECT pg_switch_wal() AS place
ORDER BY 1

-- one row: a backfill and how far it has come
SELECT source, version, number, options, statement, status, last_key, rows_done, active, started_at, updated_at, finished_at, error
FROM pgkeel.backfills
ORDER BY source, version, number

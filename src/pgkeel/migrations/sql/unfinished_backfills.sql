-- one row: a version of a source with a backfill that has not finished
SELECT DISTINCT source, version
FROM pgkeel.backfills
WHERE status <> 'finished'
ORDER BY source, version

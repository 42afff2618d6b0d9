-- one row: the backfill, held until this transaction ends, so that nobody else does the same batch
SELECT status, last_key
FROM pgkeel.backfills
WHERE source = %(source)s AND version = %(version)s AND number = %(number)s
ORDER BY 1
FOR UPDATE

-- one row: a backfill that stops before its next batch
UPDATE pgkeel.backfills
SET status = 'paused', updated_at = clock_timestamp()
WHERE source = %(source)s AND version = %(version)s AND status IN ('pending', 'running', 'failed')

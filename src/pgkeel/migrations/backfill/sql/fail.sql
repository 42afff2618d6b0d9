-- one row: a backfill whose batch the server or its code refused
UPDATE pgkeel.backfills
SET status = 'failed', error = %(error)s, updated_at = clock_timestamp()
WHERE source = %(source)s AND version = %(version)s AND number = %(number)s AND status = 'running'

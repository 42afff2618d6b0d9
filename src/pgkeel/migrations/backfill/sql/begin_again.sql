-- one row: a finished backfill that begins anew, because rows were written since that wait for it
UPDATE pgkeel.backfills
SET status = 'pending', last_key = NULL, finished_at = NULL, updated_at = clock_timestamp()
WHERE source = %(source)s AND version = %(version)s AND number = %(number)s AND status = 'finished'

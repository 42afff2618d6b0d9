-- one row: a backfill that runs from now on
UPDATE pgkeel.backfills
SET status = 'running', started_at = coalesce(started_at, clock_timestamp()), updated_at = clock_timestamp(), error = NULL
WHERE source = %(source)s AND version = %(version)s AND number = %(number)s AND status <> 'finished'

-- one row: a backfill after a batch; its status stays, for `pause` may have changed it
UPDATE pgkeel.backfills
SET last_key = %(last_key)s, rows_done = rows_done + %(rows)s, active = active + %(took)s, updated_at = clock_timestamp()
WHERE source = %(source)s AND version = %(version)s AND number = %(number)s

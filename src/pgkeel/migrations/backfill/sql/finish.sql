-- one row: a backfill that has no row left
UPDATE pgkeel.backfills
SET status = 'finished', finished_at = clock_timestamp(), updated_at = clock_timestamp()
WHERE source = %(source)s AND version = %(version)s AND number = %(number)s

-- one row: a key in its new state
UPDATE pgkeel.keys
SET state = %(state)s, changed_at = clock_timestamp()
WHERE id = %(id)s
RETURNING id

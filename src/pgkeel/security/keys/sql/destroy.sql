-- one row: a key of which nothing is left but its number
UPDATE pgkeel.keys
SET state = 'destroyed', wrapped = NULL, changed_at = clock_timestamp()
WHERE id = %(id)s
RETURNING id

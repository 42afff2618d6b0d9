-- one row: the type of a column; none where it is not there
SELECT format_type(atttypid, NULL) AS type
FROM pg_attribute
WHERE attrelid = to_regclass(%(table)s::text) AND attname = %(column)s AND NOT attisdropped
ORDER BY 1

-- one row: the type of a column, and whether row-level security hides rows from this login; none where it is not there
SELECT format_type(atttypid, NULL) AS type, row_security_active(attrelid) AS hides_rows
FROM pg_attribute
WHERE attrelid = to_regclass(%(table)s::text) AND attname = %(column)s AND NOT attisdropped
ORDER BY 1

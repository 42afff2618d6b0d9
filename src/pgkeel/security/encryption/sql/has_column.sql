-- one row: whether a table has a column
SELECT EXISTS (
    SELECT FROM pg_attribute
    WHERE attrelid = to_regclass(%(table)s::text) AND attname = %(column)s AND NOT attisdropped
) AS found
ORDER BY 1

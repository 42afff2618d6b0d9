-- one row: a row with a digest
SELECT {key} AS key
FROM {table}
WHERE {now} = %(digest)s::bytea
ORDER BY 1

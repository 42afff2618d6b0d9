-- one row: the id of a row that holds a value
SELECT {key} AS key
FROM {table}
WHERE {now} = ANY (%(digests)s::bytea[])
ORDER BY 1

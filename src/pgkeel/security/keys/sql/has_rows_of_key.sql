-- one row: whether a column holds a value that a key sealed
SELECT EXISTS (
    SELECT FROM {table} WHERE substring({column} FROM 1 FOR 5) = ANY (%(headers)s::bytea[]) AND octet_length({column}) >= 33
) AS found
ORDER BY 1

-- one row: a key and how many values of a column it sealed
SELECT ('x' || encode(substring({column} FROM 2 FOR 4), 'hex'))::bit(32)::bigint AS key, count(*) AS rows
FROM {table}
WHERE substring({column} FROM 1 FOR 5) = ANY (%(headers)s::bytea[]) AND octet_length({column}) >= 33
GROUP BY 1
ORDER BY 1

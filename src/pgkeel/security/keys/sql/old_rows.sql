-- one row: the next row of a column that the active key did not seal
SELECT {key} AS key, {column} AS sealed
FROM {table}
WHERE octet_length({column}) >= 33
  AND substring({column} FROM 1 FOR 5) <> %(header)s::bytea
  AND ({key} > %(last)s OR %(is_first)s)
ORDER BY {key}
LIMIT %(batch)s

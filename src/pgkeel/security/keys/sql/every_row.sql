-- one row: the next row with its sealed value and its digest
SELECT {key} AS key, {column} AS sealed, {now} AS digest
FROM {table}
WHERE octet_length({column}) >= 33 AND ({key} > %(last)s OR %(is_first)s)
ORDER BY {key}
LIMIT %(batch)s

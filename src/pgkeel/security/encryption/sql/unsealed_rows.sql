-- one row: a row of a batch that is not sealed, held until it is
SELECT {key} AS key, {column} AS clear
FROM {table}
WHERE {key} > %(lo)s AND {key} <= %(hi)s AND {column} IS NOT NULL AND {sealed} IS NULL
ORDER BY {key}
FOR UPDATE

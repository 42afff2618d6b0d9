-- one row: how many rows of a person hold a sealed value
SELECT count(*) AS rows
FROM {table}
WHERE {key}::text = %(id)s AND {column} IS NOT NULL AND {column} <> %(erased)s
ORDER BY 1

-- one row: how many rows of a part of the log hold a clear value of a column
SELECT count(*) AS rows
FROM {partition} AS entry
WHERE entry.table_name = %(table)s
  AND EXISTS (
      SELECT FROM (VALUES (entry.before ->> %(column)s), (entry.after ->> %(column)s)) AS image (value)
      WHERE image.value <> 'changed' AND image.value !~ '^\\x0[012]'
  )
ORDER BY 1

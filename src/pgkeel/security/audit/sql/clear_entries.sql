-- one row: how many rows of a part of the log hold a clear value of a column
SELECT count(*) AS rows
FROM {partition} AS entry
WHERE entry.table_name = %(table)s
  AND EXISTS (
      SELECT FROM (VALUES (entry.before ->> %(column)s), (entry.after ->> %(column)s)) AS image (value)
      WHERE image.value <> 'changed' AND image.value !~ '^\\x0[012]'
        AND image.value IS DISTINCT FROM '\x' || replace(entry.row_id, '-', '')  -- what a purge leaves of a person: the row's id
  )
ORDER BY 1

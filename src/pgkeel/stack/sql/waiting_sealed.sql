-- one row: a value that waits to be put back, and the one of the same row that lives, or NULL
SELECT waiting.{key} AS key, waiting.{column} AS sealed, live.{column} AS live
FROM {waiting} AS waiting
LEFT JOIN {table} AS live ON live.{key} = waiting.{key}
WHERE waiting.{column} IS NOT NULL
ORDER BY 1

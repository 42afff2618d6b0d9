-- A row whose value is there more than once.
SELECT 1 AS one FROM {waiting} AS waiting
WHERE (SELECT count(*) FROM {table} AS now WHERE ROW({theirs}) = ROW({mine})) > 1
ORDER BY one LIMIT 1

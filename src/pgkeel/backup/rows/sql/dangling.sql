-- A row that was put back and whose parent is not there.
SELECT {key} FROM {waiting} AS waiting
WHERE ROW({mine}) IS NOT NULL AND NOT EXISTS (SELECT FROM {parent} AS parent WHERE ROW({theirs}) = ROW({mine}))
ORDER BY {key} LIMIT 1

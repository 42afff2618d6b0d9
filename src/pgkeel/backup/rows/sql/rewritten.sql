-- The key of a row that lives where a deleted one was, and is another.
SELECT {key} FROM {table} AS now INNER JOIN {waiting} AS was ON ROW({key}) = ROW({then_key})
WHERE ROW({now}) IS DISTINCT FROM ROW({then})
ORDER BY {key}

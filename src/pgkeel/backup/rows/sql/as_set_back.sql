-- A statement that sets one row back to what it was.
SELECT 'UPDATE ' || {target} || ' SET ' || {assignments} || ' WHERE ' || {condition} || ';' AS statement
FROM {waiting} AS waiting INNER JOIN {table} AS now ON ROW({now_key}) = ROW({then_key})
WHERE ROW({now}) IS DISTINCT FROM ROW({then})
ORDER BY 1

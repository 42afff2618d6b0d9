-- A statement that points one row again at a row that comes back.
SELECT 'UPDATE ' || {child} || ' SET ' || {assignments} || ' WHERE ' || {condition} || ' AND ' || {empty} || ';' AS statement
FROM {waiting} AS waiting
WHERE EXISTS (SELECT FROM {arriving} AS arriving WHERE ROW({theirs}) = ROW({mine}))
ORDER BY 1

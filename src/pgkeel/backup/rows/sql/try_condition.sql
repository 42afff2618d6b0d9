-- No row: the server only reads the condition.
SELECT 1 AS one FROM {table} WHERE ({where}) ORDER BY one LIMIT 0

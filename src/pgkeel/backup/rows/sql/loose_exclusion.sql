-- A deferrable exclusion constraint of a table.
SELECT x.conname AS name
FROM pg_constraint AS x
INNER JOIN pg_class AS c ON c.oid = x.conrelid
INNER JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE n.nspname = %(schema)s AND c.relname = %(name)s AND x.contype = 'x' AND x.condeferrable
ORDER BY x.conname LIMIT 1

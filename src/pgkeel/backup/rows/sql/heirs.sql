-- A table that inherits from a table, directly.
SELECT hn.nspname AS schema, h.relname AS name
FROM pg_inherits AS i
INNER JOIN pg_class AS c ON c.oid = i.inhparent
INNER JOIN pg_namespace AS n ON n.oid = c.relnamespace
INNER JOIN pg_class AS h ON h.oid = i.inhrelid
INNER JOIN pg_namespace AS hn ON hn.oid = h.relnamespace
WHERE n.nspname = %(schema)s AND c.relname = %(name)s
ORDER BY hn.nspname, h.relname

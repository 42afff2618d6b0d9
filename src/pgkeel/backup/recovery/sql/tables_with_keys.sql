-- A table with a valid primary key.
SELECT n.nspname AS schema, c.relname AS name
FROM pg_index AS i
INNER JOIN pg_class AS c ON c.oid = i.indrelid
INNER JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE i.indisprimary AND i.indisvalid AND c.relkind = 'r' AND c.relpersistence = 'p' AND n.nspname NOT IN ('pg_catalog', 'information_schema')
ORDER BY n.nspname, c.relname

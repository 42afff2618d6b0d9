-- one row: the index of that name on or beside a table, and whether it can be used
SELECT namespace.nspname AS schema, index.relname AS name, entry.indisvalid AS is_valid
FROM pg_class AS index
JOIN pg_index AS entry ON entry.indexrelid = index.oid
JOIN pg_namespace AS namespace ON namespace.oid = index.relnamespace
WHERE index.relname = %(name)s
  AND index.relnamespace = (SELECT relnamespace FROM pg_class WHERE oid = to_regclass(%(relation)s))
ORDER BY 1, 2

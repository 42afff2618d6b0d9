-- one row: an index and its table, each without its schema where that is `public`
SELECT CASE WHEN spaces.nspname = 'public' THEN '' ELSE spaces.nspname || '.' END || indexes.relname AS name,
       CASE WHEN spaces.nspname = 'public' THEN '' ELSE spaces.nspname || '.' END || tables.relname AS "table"
FROM pg_index AS links
JOIN pg_class AS indexes ON indexes.oid = links.indexrelid
JOIN pg_class AS tables ON tables.oid = links.indrelid
JOIN pg_namespace AS spaces ON spaces.oid = tables.relnamespace
WHERE spaces.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')
ORDER BY 1

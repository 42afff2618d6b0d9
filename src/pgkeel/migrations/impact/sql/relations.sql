-- one row: a table of the scratch database or one of its indexes, and the file that holds it
SELECT class.oid::bigint AS oid,
       CASE WHEN space.nspname = 'public' THEN '' ELSE space.nspname || '.' END || class.relname AS name,
       space.nspname AS schema,
       class.relname AS relation,
       class.relkind::text AS kind,
       coalesce(pg_relation_filenode(class.oid), 0)::bigint AS file,
       coalesce(link.indrelid, 0)::bigint AS "table"
FROM pg_class AS class
JOIN pg_namespace AS space ON space.oid = class.relnamespace
LEFT JOIN pg_index AS link ON link.indexrelid = class.oid
WHERE class.oid >= 16384 AND class.relkind IN ('r', 'p', 'm', 'f', 'i', 'I') AND space.nspname <> 'pg_toast'
ORDER BY class.oid

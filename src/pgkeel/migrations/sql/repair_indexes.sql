-- one row: an INVALID index that no session is building, and whether a stopped REINDEX left it
SELECT namespace.nspname AS schema, index.relname::text AS name,
       format('%%I.%%I', namespace.nspname, index.relname) AS title,
       index.relname ~ '_cc(new|old)[0-9]*$' AS is_leftover
FROM pg_class AS index
JOIN pg_index AS entry ON entry.indexrelid = index.oid
JOIN pg_namespace AS namespace ON namespace.oid = index.relnamespace
WHERE namespace.nspname = ANY (%(schemas)s)
  AND NOT entry.indisvalid
  AND index.relkind = 'i'
  AND NOT EXISTS (SELECT FROM pg_stat_progress_create_index AS build WHERE build.index_relid = index.oid)
ORDER BY is_leftover DESC, title

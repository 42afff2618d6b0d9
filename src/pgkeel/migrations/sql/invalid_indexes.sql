-- one row: an INVALID index that no session is building
SELECT format('%%I.%%I', namespace.nspname, relation.relname) AS name
FROM pg_index
JOIN pg_class AS relation ON relation.oid = pg_index.indexrelid
JOIN pg_namespace AS namespace ON namespace.oid = relation.relnamespace
WHERE namespace.nspname = ANY (%(schemas)s)
  AND NOT pg_index.indisvalid
  AND NOT EXISTS (SELECT FROM pg_stat_progress_create_index AS build WHERE build.index_relid = pg_index.indexrelid)
ORDER BY name

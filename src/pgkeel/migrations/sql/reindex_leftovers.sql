-- one row: an index that a stopped REINDEX CONCURRENTLY left behind
SELECT namespace.nspname AS schema, index.relname AS name
FROM pg_class AS index
JOIN pg_index AS entry ON entry.indexrelid = index.oid
JOIN pg_namespace AS namespace ON namespace.oid = index.relnamespace
WHERE NOT entry.indisvalid
  AND index.relname ~ '_cc(new|old)[0-9]*$'
  AND pg_has_role(index.relowner, 'USAGE')
  AND (to_regclass(%(relation)s) IS NULL
       OR entry.indrelid IN (to_regclass(%(relation)s),
                             (SELECT indrelid FROM pg_index WHERE indexrelid = to_regclass(%(relation)s))))
  AND NOT EXISTS (SELECT FROM pg_stat_progress_create_index AS build WHERE build.index_relid = index.oid)
ORDER BY 1, 2

-- one row: an index; `renamed` puts it aside while its successor is built
SELECT relation.tableoid AS class, relation.oid AS id, 0 AS sub,
       format('%%I.%%I', namespace.nspname, relation.relname) AS name,
       replace(pg_get_indexdef(relation.oid), ' ON ONLY ', ' ON ') AS made,
       format('DROP INDEX %%I.%%I', namespace.nspname, relation.relname) AS dropped,
       jsonb_build_object(
           'table', pg_index.indrelid::regclass::text,
           'is_partitioned', relation.relkind = 'I',
           'is_valid', pg_index.indisvalid,
           'renamed', format('ALTER INDEX %%I.%%I RENAME TO %%I', namespace.nspname, relation.relname,
               left(relation.relname, 55) || '_old'),
           'dropped_aside', format('DROP INDEX CONCURRENTLY %%I.%%I', namespace.nspname, left(relation.relname, 55) || '_old'))
           AS facts
FROM pg_index
JOIN pg_class AS relation ON relation.oid = pg_index.indexrelid
JOIN pg_namespace AS namespace ON namespace.oid = relation.relnamespace
WHERE namespace.nspname = ANY (%(schemas)s)
  AND NOT relation.relispartition
ORDER BY name

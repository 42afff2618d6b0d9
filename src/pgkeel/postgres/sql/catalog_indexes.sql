-- one row: an index, the ones of constraints included; those of partitions that follow their parent's are not listed
SELECT format('%%I.%%I', namespace.nspname, relation.relname) AS name,
       concat_ws(' ', pg_get_indexdef(relation.oid), CASE WHEN NOT pg_index.indisvalid THEN '(invalid)' END) AS definition
FROM pg_index
JOIN pg_class AS relation ON relation.oid = pg_index.indexrelid
JOIN pg_namespace AS namespace ON namespace.oid = relation.relnamespace
WHERE namespace.nspname = ANY (%(schemas)s)
  AND NOT relation.relispartition
ORDER BY name

-- one row: a table that is no partition, with the SQL that opens and closes its CREATE
SELECT relation.tableoid AS class, relation.oid AS id, 0 AS sub,
       format('%%I.%%I', namespace.nspname, relation.relname) AS name,
       format('CREATE %%sTABLE %%I.%%I', CASE WHEN relation.relpersistence = 'u' THEN 'UNLOGGED ' END, namespace.nspname,
           relation.relname) AS made,
       format('DROP TABLE %%I.%%I', namespace.nspname, relation.relname) AS dropped,
       jsonb_build_object(
           'suffix', concat(' PARTITION BY ' || pg_get_partkeydef(relation.oid),
               ' WITH (' || array_to_string(relation.reloptions, ', ') || ')'),
           'kind', relation.relkind::text || coalesce(pg_get_partkeydef(relation.oid), ''),
           'persistence', relation.relpersistence,
           'row_security', relation.relrowsecurity,
           'forced', relation.relforcerowsecurity,
           'replica_identity', relation.relreplident,
           'options', to_jsonb(coalesce(relation.reloptions, '{}'))) AS facts
FROM pg_class AS relation
JOIN pg_namespace AS namespace ON namespace.oid = relation.relnamespace
WHERE namespace.nspname = ANY (%(schemas)s)
  AND relation.relkind IN ('r', 'p', 'f')
  AND NOT relation.relispartition
ORDER BY name

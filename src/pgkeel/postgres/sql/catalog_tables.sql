-- one row: a table with what is said about the whole of it
SELECT format('%%I.%%I', namespace.nspname, relation.relname) AS name,
       concat_ws(' ',
           CASE relation.relpersistence WHEN 'u' THEN 'unlogged' WHEN 't' THEN 'temporary' END,
           CASE relation.relkind WHEN 'p' THEN 'partitioned table' WHEN 'f' THEN 'foreign table' ELSE 'table' END,
           'by ' || pg_get_partkeydef(relation.oid),
           CASE WHEN relation.relrowsecurity THEN 'row security' END,
           CASE WHEN relation.relforcerowsecurity THEN 'forced' END,
           CASE WHEN relation.relreplident <> 'd' THEN 'replica identity ' || relation.relreplident::text END,
           'with (' || array_to_string(relation.reloptions, ', ') || ')') AS definition
FROM pg_class AS relation
JOIN pg_namespace AS namespace ON namespace.oid = relation.relnamespace
WHERE namespace.nspname = ANY (%(schemas)s)
  AND relation.relkind IN ('r', 'p', 'f')
  AND NOT relation.relispartition
  AND NOT EXISTS (SELECT FROM pg_depend WHERE classid = 'pg_class'::regclass AND objid = relation.oid AND deptype = 'e')
ORDER BY name

-- one row: a view or materialised view
SELECT relation.tableoid AS class, relation.oid AS id, 0 AS sub,
       format('%%I.%%I', namespace.nspname, relation.relname) AS name,
       format(E'CREATE %%s %%I.%%I%%s AS\n%%s', kind.title, namespace.nspname, relation.relname,
           ' WITH (' || array_to_string(relation.reloptions, ', ') || ')', rtrim(pg_get_viewdef(relation.oid), ';')) AS made,
       format('DROP %%s %%I.%%I', kind.title, namespace.nspname, relation.relname) AS dropped,
       '{}'::jsonb AS facts
FROM pg_class AS relation
JOIN pg_namespace AS namespace ON namespace.oid = relation.relnamespace
CROSS JOIN LATERAL (SELECT CASE relation.relkind WHEN 'm' THEN 'MATERIALIZED VIEW' ELSE 'VIEW' END AS title) AS kind
WHERE namespace.nspname = ANY (%(schemas)s)
  AND relation.relkind IN ('v', 'm')
ORDER BY name

-- one row: a trigger, with the statement that sets when it fires ("" for always at origin)
SELECT pg_trigger.tableoid AS class, pg_trigger.oid AS id, 0 AS sub,
       format('%%I.%%I.%%I', namespace.nspname, relation.relname, pg_trigger.tgname) AS name,
       pg_get_triggerdef(pg_trigger.oid) AS made,
       format('DROP TRIGGER %%I ON %%I.%%I', pg_trigger.tgname, namespace.nspname, relation.relname) AS dropped,
       jsonb_build_object('state', CASE WHEN pg_trigger.tgenabled <> 'O' THEN
           format('ALTER TABLE %%I.%%I %%s TRIGGER %%I', namespace.nspname, relation.relname,
               CASE pg_trigger.tgenabled WHEN 'D' THEN 'DISABLE' WHEN 'A' THEN 'ENABLE ALWAYS' ELSE 'ENABLE REPLICA' END,
               pg_trigger.tgname) ELSE '' END) AS facts
FROM pg_trigger
JOIN pg_class AS relation ON relation.oid = pg_trigger.tgrelid
JOIN pg_namespace AS namespace ON namespace.oid = relation.relnamespace
WHERE namespace.nspname = ANY (%(schemas)s)
  AND NOT pg_trigger.tgisinternal
  AND pg_trigger.tgparentid = 0
ORDER BY name

-- one row: a trigger; the copies on partitions, those of foreign keys, of the audit log and of pgkeel.cache_watch are not listed
SELECT format('%%I.%%I.%%I', namespace.nspname, relation.relname, pg_trigger.tgname) AS name,
       concat_ws(' ', pg_get_triggerdef(pg_trigger.oid),
           CASE pg_trigger.tgenabled WHEN 'D' THEN '(disabled)' WHEN 'A' THEN '(always)' WHEN 'R' THEN '(replica)' END) AS definition
FROM pg_trigger
JOIN pg_class AS relation ON relation.oid = pg_trigger.tgrelid
JOIN pg_namespace AS namespace ON namespace.oid = relation.relnamespace
WHERE namespace.nspname = ANY (%(schemas)s)
  AND NOT pg_trigger.tgisinternal
  AND pg_trigger.tgparentid = 0
  AND pg_trigger.tgname NOT LIKE 'pgkeel\_audit\_%%'
  AND pg_trigger.tgname NOT LIKE 'cache\_note\_%%'
ORDER BY name

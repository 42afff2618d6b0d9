-- one row per month's table that a run has made and not attached: our marker stands in its comment
SELECT class.relname::text AS name
FROM pg_class AS class
JOIN pg_namespace AS namespace ON namespace.oid = class.relnamespace
WHERE namespace.nspname = %(schema)s
  AND class.relkind = 'r'
  AND NOT class.relispartition
  AND obj_description(class.oid, 'pg_class') = 'pgkeel: staged month of ' || %(table)s
ORDER BY class.relname

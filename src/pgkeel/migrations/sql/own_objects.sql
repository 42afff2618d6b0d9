-- one row: the first table, view, sequence or function that would be in the way of a dump
SELECT format('%%I.%%I', namespace.nspname, found.name) AS name
FROM (
    SELECT relnamespace AS namespace, relname AS name, oid, tableoid FROM pg_class
    UNION ALL
    SELECT pronamespace, proname, oid, tableoid FROM pg_proc
) AS found
JOIN pg_namespace AS namespace ON namespace.oid = found.namespace
WHERE namespace.nspname NOT IN ('information_schema', 'audit')
  AND namespace.nspname NOT LIKE 'pg\_%%'
  AND NOT EXISTS (SELECT FROM pg_depend WHERE classid = found.tableoid AND objid = found.oid AND deptype = 'e')
ORDER BY name
LIMIT 1

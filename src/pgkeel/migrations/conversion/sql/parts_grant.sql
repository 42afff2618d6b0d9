-- one row: an object that rights are given on, as GRANT names it; who has which right stands in the snapshot
SELECT relation.tableoid AS class, relation.oid AS id, 0 AS sub,
       format('%%I.%%I', namespace.nspname, relation.relname) AS name,
       concat(CASE relation.relkind WHEN 'S' THEN 'SEQUENCE ' ELSE 'TABLE ' END,
           format('%%I.%%I', namespace.nspname, relation.relname)) AS target
FROM pg_class AS relation
JOIN pg_namespace AS namespace ON namespace.oid = relation.relnamespace
WHERE namespace.nspname = ANY (%(schemas)s)
  AND relation.relkind IN ('r', 'p', 'f', 'v', 'm', 'S')
UNION ALL
SELECT pg_proc.tableoid, pg_proc.oid, 0,
       format('%%I.%%I(%%s)', namespace.nspname, pg_proc.proname, pg_get_function_identity_arguments(pg_proc.oid)),
       format('ROUTINE %%I.%%I(%%s)', namespace.nspname, pg_proc.proname, pg_get_function_identity_arguments(pg_proc.oid))
FROM pg_proc
JOIN pg_namespace AS namespace ON namespace.oid = pg_proc.pronamespace
WHERE namespace.nspname = ANY (%(schemas)s)
UNION ALL
SELECT namespace.tableoid, namespace.oid, 0, format('schema %%I', namespace.nspname), format('SCHEMA %%I', namespace.nspname)
FROM pg_namespace AS namespace
WHERE namespace.nspname = ANY (%(schemas)s)
ORDER BY name

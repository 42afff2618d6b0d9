-- one row: something in the declared schemas on which rights can be held, the schemas themselves included
SELECT found.kind, found.names, found.arguments, pg_get_userbyid(found.owner_id)::text AS owner
FROM (
    SELECT 'SCHEMA' AS kind, ARRAY[nspname::text] AS names, '' AS arguments, nspowner AS owner_id
    FROM pg_namespace
    WHERE nspname = ANY (%(schemas)s)
    UNION ALL
    SELECT CASE relation.relkind WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END,
           ARRAY[namespace.nspname::text, relation.relname::text], '', relation.relowner
    FROM pg_class AS relation
    JOIN pg_namespace AS namespace ON namespace.oid = relation.relnamespace
    WHERE namespace.nspname = ANY (%(schemas)s)
      AND relation.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
      AND NOT EXISTS (SELECT FROM pg_depend WHERE classid = 'pg_class'::regclass AND objid = relation.oid AND deptype = 'e')
    UNION ALL
    SELECT 'ROUTINE', ARRAY[namespace.nspname::text, routine.proname::text],
           CASE routine.prokind
               WHEN 'a' THEN oidvectortypes(routine.proargtypes) ELSE pg_get_function_identity_arguments(routine.oid)
           END, routine.proowner
    FROM pg_proc AS routine
    JOIN pg_namespace AS namespace ON namespace.oid = routine.pronamespace
    WHERE (namespace.nspname = ANY (%(schemas)s) OR (namespace.nspname = 'pg_catalog' AND routine.proname = ANY (%(system)s)))
      AND NOT EXISTS (SELECT FROM pg_depend WHERE classid = 'pg_proc'::regclass AND objid = routine.oid AND deptype = 'e')
) AS found
ORDER BY found.kind, found.names, found.arguments

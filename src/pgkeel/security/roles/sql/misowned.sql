-- one row: what one of our roles owns in this database that may own nothing; what hangs on a column goes with its table
SELECT found.kind, found.names, found.arguments, pg_get_userbyid(found.owner_id)::text AS owner
FROM (
    SELECT 'DATABASE' AS kind, ARRAY[datname::text] AS names, '' AS arguments, datdba AS owner_id
    FROM pg_database
    WHERE datname = current_database()
    UNION ALL
    SELECT 'SCHEMA', ARRAY[nspname::text], '', nspowner
    FROM pg_namespace
    WHERE nspname = ANY (%(schemas)s)
    UNION ALL
    SELECT CASE relation.relkind WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END,
           ARRAY[namespace.nspname::text, relation.relname::text], '', relation.relowner
    FROM pg_class AS relation
    JOIN pg_namespace AS namespace ON namespace.oid = relation.relnamespace
    WHERE namespace.nspname = ANY (%(schemas)s)
      AND relation.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
      AND NOT EXISTS (
          SELECT FROM pg_depend
          WHERE classid = 'pg_class'::regclass
            AND objid = relation.oid
            AND (deptype = 'e' OR (relation.relkind = 'S' AND refobjsubid > 0 AND deptype IN ('a', 'i')))
      )
    UNION ALL
    SELECT 'ROUTINE', ARRAY[namespace.nspname::text, routine.proname::text],
           CASE routine.prokind
               WHEN 'a' THEN oidvectortypes(routine.proargtypes) ELSE pg_get_function_identity_arguments(routine.oid)
           END, routine.proowner
    FROM pg_proc AS routine
    JOIN pg_namespace AS namespace ON namespace.oid = routine.pronamespace
    WHERE namespace.nspname = ANY (%(schemas)s)
      AND NOT EXISTS (SELECT FROM pg_depend WHERE classid = 'pg_proc'::regclass AND objid = routine.oid AND deptype = 'e')
) AS found
JOIN pg_roles AS owner ON owner.oid = found.owner_id
WHERE owner.rolname = ANY (%(roles)s)
ORDER BY found.kind, found.names, found.arguments

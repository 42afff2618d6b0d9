-- one row: a function or procedure
SELECT format('%%I.%%I(%%s)', namespace.nspname, pg_proc.proname, pg_get_function_identity_arguments(pg_proc.oid)) AS name,
       pg_get_functiondef(pg_proc.oid) AS definition
FROM pg_proc
JOIN pg_namespace AS namespace ON namespace.oid = pg_proc.pronamespace
WHERE namespace.nspname = ANY (%(schemas)s)
  AND pg_proc.prokind IN ('f', 'p', 'w')
  AND NOT EXISTS (SELECT FROM pg_depend WHERE classid = 'pg_proc'::regclass AND objid = pg_proc.oid AND deptype = 'e')
ORDER BY name

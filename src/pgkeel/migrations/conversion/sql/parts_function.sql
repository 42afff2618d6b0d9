-- one row: a function or procedure; a changed `result` cannot be replaced in place
SELECT pg_proc.tableoid AS class, pg_proc.oid AS id, 0 AS sub,
       format('%%I.%%I(%%s)', namespace.nspname, pg_proc.proname, pg_get_function_identity_arguments(pg_proc.oid)) AS name,
       pg_get_functiondef(pg_proc.oid) AS made,
       format('DROP ROUTINE %%I.%%I(%%s)', namespace.nspname, pg_proc.proname, pg_get_function_identity_arguments(pg_proc.oid))
           AS dropped,
       jsonb_build_object('result', pg_proc.prokind::text || coalesce(pg_get_function_result(pg_proc.oid), '')
           || pg_get_function_arguments(pg_proc.oid)) AS facts
FROM pg_proc
JOIN pg_namespace AS namespace ON namespace.oid = pg_proc.pronamespace
WHERE namespace.nspname = ANY (%(schemas)s)
  AND pg_proc.prokind IN ('f', 'p', 'w')
ORDER BY name

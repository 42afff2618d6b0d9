-- one row: a row security policy
SELECT pg_policy.tableoid AS class, pg_policy.oid AS id, 0 AS sub,
       format('%%I.%%I.%%I', shown.schemaname, shown.tablename, shown.policyname) AS name,
       concat(format('CREATE POLICY %%I ON %%I.%%I AS %%s FOR %%s TO %%s', shown.policyname, shown.schemaname, shown.tablename,
               shown.permissive, shown.cmd,
               (SELECT string_agg(CASE role WHEN 'public' THEN 'PUBLIC' ELSE quote_ident(role) END, ', ' ORDER BY role)
                FROM unnest(shown.roles) AS role)),
           ' USING (' || shown.qual || ')', ' WITH CHECK (' || shown.with_check || ')') AS made,
       format('DROP POLICY %%I ON %%I.%%I', shown.policyname, shown.schemaname, shown.tablename) AS dropped,
       '{}'::jsonb AS facts
FROM pg_policies AS shown
JOIN pg_class AS relation ON relation.oid = to_regclass(format('%%I.%%I', shown.schemaname, shown.tablename))
JOIN pg_policy ON pg_policy.polrelid = relation.oid AND pg_policy.polname = shown.policyname
WHERE shown.schemaname = ANY (%(schemas)s)
ORDER BY name

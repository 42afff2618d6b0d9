-- one row: a row security policy
SELECT format('%%I.%%I.%%I', schemaname, tablename, policyname) AS name,
       concat_ws(' ', permissive, 'FOR', cmd, 'TO', array_to_string(roles, ', '), 'USING (' || qual || ')',
           'WITH CHECK (' || with_check || ')') AS definition
FROM pg_policies
WHERE schemaname = ANY (%(schemas)s)
ORDER BY name

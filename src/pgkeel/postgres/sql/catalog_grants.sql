-- one row: what somebody else than the owner may do with a table, view, sequence, function or schema
SELECT format('%%s to %%s', granted.object, granted.grantee) AS name,
       string_agg(granted.privilege_type || CASE WHEN granted.is_grantable THEN '*' ELSE '' END, ', '
           ORDER BY granted.privilege_type) AS definition
FROM (
    SELECT format('%%I.%%I', namespace.nspname, relation.relname) AS object, relation.relowner AS owner,
           CASE acl.grantee WHEN 0 THEN 'public' ELSE quote_ident(pg_get_userbyid(acl.grantee)) END AS grantee,
           acl.grantee AS grantee_id, acl.privilege_type, acl.is_grantable
    FROM pg_class AS relation
    JOIN pg_namespace AS namespace ON namespace.oid = relation.relnamespace
    CROSS JOIN aclexplode(relation.relacl) AS acl
    WHERE namespace.nspname = ANY (%(schemas)s)
      AND relation.relkind IN ('r', 'p', 'f', 'v', 'm', 'S')
      AND NOT EXISTS (SELECT FROM pg_depend WHERE classid = 'pg_class'::regclass AND objid = relation.oid AND deptype = 'e')
    UNION ALL
    SELECT format('%%I.%%I(%%s)', namespace.nspname, pg_proc.proname, pg_get_function_identity_arguments(pg_proc.oid)),
           pg_proc.proowner,
           CASE acl.grantee WHEN 0 THEN 'public' ELSE quote_ident(pg_get_userbyid(acl.grantee)) END,
           acl.grantee, acl.privilege_type, acl.is_grantable
    FROM pg_proc
    JOIN pg_namespace AS namespace ON namespace.oid = pg_proc.pronamespace
    CROSS JOIN aclexplode(coalesce(pg_proc.proacl, acldefault('f', pg_proc.proowner))) AS acl
    WHERE namespace.nspname = ANY (%(schemas)s)
      AND NOT EXISTS (SELECT FROM pg_depend WHERE classid = 'pg_proc'::regclass AND objid = pg_proc.oid AND deptype = 'e')
    UNION ALL
    SELECT format('schema %%I', namespace.nspname), namespace.nspowner,
           CASE acl.grantee WHEN 0 THEN 'public' ELSE quote_ident(pg_get_userbyid(acl.grantee)) END,
           acl.grantee, acl.privilege_type, acl.is_grantable
    FROM pg_namespace AS namespace
    CROSS JOIN aclexplode(namespace.nspacl) AS acl
    WHERE namespace.nspname = ANY (%(schemas)s)
) AS granted
WHERE granted.grantee_id <> granted.owner
GROUP BY granted.object, granted.grantee
ORDER BY name

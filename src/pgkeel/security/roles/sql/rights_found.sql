-- one row: a privilege that somebody else than the owner holds on a database, a declared schema or what lies in it; those of our
-- roles are found in every schema
SELECT found.kind, found.names, found.arguments, found.column_name, pg_get_userbyid(found.owner_id)::text AS owner,
       pg_get_userbyid(found.grantor)::text AS grantor, found.privilege_type::text AS privilege, found.is_grantable,
       CASE found.grantee WHEN 0 THEN '' ELSE pg_get_userbyid(found.grantee)::text END AS grantee
FROM (
    SELECT 'DATABASE' AS kind, NULL AS schema, ARRAY[datname::text] AS names, '' AS arguments, '' AS column_name,
           datdba AS owner_id, acl.*
    FROM pg_database
    CROSS JOIN aclexplode(coalesce(datacl, acldefault('d', datdba))) AS acl
    WHERE datname = ANY (%(databases)s)
    UNION ALL
    SELECT 'SCHEMA', nspname, ARRAY[nspname::text], '', '', nspowner, acl.*
    FROM pg_namespace
    CROSS JOIN aclexplode(nspacl) AS acl
    UNION ALL
    SELECT CASE relation.relkind WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END, namespace.nspname,
           ARRAY[namespace.nspname::text, relation.relname::text], '', '', relation.relowner, acl.*
    FROM pg_class AS relation
    JOIN pg_namespace AS namespace ON namespace.oid = relation.relnamespace
    CROSS JOIN aclexplode(relation.relacl) AS acl
    WHERE relation.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
      AND NOT EXISTS (SELECT FROM pg_depend WHERE classid = 'pg_class'::regclass AND objid = relation.oid AND deptype = 'e')
    UNION ALL
    SELECT 'TABLE', namespace.nspname, ARRAY[namespace.nspname::text, relation.relname::text], '', attribute.attname::text,
           relation.relowner, acl.*
    FROM pg_attribute AS attribute
    JOIN pg_class AS relation ON relation.oid = attribute.attrelid
    JOIN pg_namespace AS namespace ON namespace.oid = relation.relnamespace
    CROSS JOIN aclexplode(attribute.attacl) AS acl
    WHERE NOT attribute.attisdropped
    UNION ALL
    SELECT 'ROUTINE', namespace.nspname, ARRAY[namespace.nspname::text, routine.proname::text],
           CASE routine.prokind
               WHEN 'a' THEN oidvectortypes(routine.proargtypes) ELSE pg_get_function_identity_arguments(routine.oid)
           END, '', routine.proowner, acl.*
    FROM pg_proc AS routine
    JOIN pg_namespace AS namespace ON namespace.oid = routine.pronamespace
    CROSS JOIN aclexplode(coalesce(routine.proacl, acldefault('f', routine.proowner))) AS acl
    WHERE NOT EXISTS (SELECT FROM pg_depend WHERE classid = 'pg_proc'::regclass AND objid = routine.oid AND deptype = 'e')
) AS found
WHERE found.grantee <> found.owner_id
  AND (
      found.kind = 'DATABASE'
      OR found.schema = ANY (%(schemas)s)
      OR found.grantee IN (SELECT oid FROM pg_roles WHERE rolname = ANY (%(roles)s))
  )
ORDER BY found.kind, found.names, found.arguments, found.column_name, grantee, privilege, grantor

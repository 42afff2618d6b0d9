-- one row: a privilege on what somebody makes later; those who make our objects have one for PUBLIC before anybody said so
SELECT found.kind, found.maker, found.schema, found.privilege_type::text AS privilege, found.is_grantable,
       CASE found.grantee WHEN 0 THEN '' ELSE pg_get_userbyid(found.grantee)::text END AS grantee
FROM (
    SELECT kinds.kind, role.rolname::text AS maker, role.oid AS maker_id, '' AS schema, acl.*
    FROM pg_roles AS role
    CROSS JOIN (VALUES ('TABLES', 'r'::"char"), ('SEQUENCES', 'S'), ('ROUTINES', 'f')) AS kinds (kind, letter)
    LEFT JOIN pg_default_acl AS kept
        ON kept.defaclrole = role.oid AND kept.defaclnamespace = 0 AND kept.defaclobjtype = kinds.letter
    CROSS JOIN aclexplode(coalesce(kept.defaclacl, acldefault(CASE kinds.letter WHEN 'S' THEN 's' ELSE kinds.letter END, role.oid)))
        AS acl
    WHERE kept.oid IS NOT NULL OR role.rolname = ANY (%(makers)s)
    UNION ALL
    SELECT CASE kept.defaclobjtype WHEN 'r' THEN 'TABLES' WHEN 'S' THEN 'SEQUENCES' ELSE 'ROUTINES' END,
           pg_get_userbyid(kept.defaclrole)::text, kept.defaclrole, namespace.nspname::text, acl.*
    FROM pg_default_acl AS kept
    JOIN pg_namespace AS namespace ON namespace.oid = kept.defaclnamespace
    CROSS JOIN aclexplode(kept.defaclacl) AS acl
    WHERE kept.defaclobjtype IN ('r', 'S', 'f')
) AS found
WHERE found.grantee <> found.maker_id
ORDER BY found.kind, found.maker, found.schema, grantee, privilege

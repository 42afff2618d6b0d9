-- one row: a privilege of one of our roles on what lies in no schema and is nobody's declaration: settings, large objects, disks,
-- foreign servers, languages
SELECT found.kind, found.name, found.privilege_type::text AS privilege, pg_get_userbyid(found.grantee)::text AS grantee
FROM (
    SELECT 'parameter' AS kind, parname AS name, acl.* FROM pg_parameter_acl CROSS JOIN aclexplode(paracl) AS acl
    UNION ALL
    SELECT 'large object', kept.oid::text, acl.* FROM pg_largeobject_metadata AS kept CROSS JOIN aclexplode(kept.lomacl) AS acl
    UNION ALL
    SELECT 'tablespace', spcname::text, acl.* FROM pg_tablespace CROSS JOIN aclexplode(spcacl) AS acl
    UNION ALL
    SELECT 'foreign server', srvname::text, acl.* FROM pg_foreign_server CROSS JOIN aclexplode(srvacl) AS acl
    UNION ALL
    SELECT 'foreign data wrapper', fdwname::text, acl.* FROM pg_foreign_data_wrapper CROSS JOIN aclexplode(fdwacl) AS acl
    UNION ALL
    SELECT 'language', lanname::text, acl.* FROM pg_language CROSS JOIN aclexplode(lanacl) AS acl
) AS found
JOIN pg_roles AS role ON role.oid = found.grantee
WHERE role.rolname = ANY (%(roles)s)
ORDER BY found.kind, found.name, grantee, privilege

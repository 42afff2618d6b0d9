-- one row: a role of the server that is not PostgreSQL's own, and the roles of which it is a member
SELECT role.rolname AS name,
       role.rolsuper AS is_superuser,
       ARRAY (
           SELECT parent.rolname::text
           FROM pg_auth_members AS link
           JOIN pg_roles AS parent ON parent.oid = link.roleid
           WHERE link.member = role.oid
           ORDER BY parent.rolname
       ) AS groups
FROM pg_roles AS role
WHERE role.rolname NOT LIKE 'pg\_%%'
ORDER BY role.rolname

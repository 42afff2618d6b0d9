-- one row: a group's member on PostgreSQL 15, where inheriting is the member's own attribute
SELECT pg_get_userbyid(roleid)::text AS "group", pg_get_userbyid(membership.member)::text AS member,
       role.rolinherit AS inherits, true AS may_become, membership.admin_option AS is_admin, '' AS grantor
FROM pg_auth_members AS membership
JOIN pg_roles AS role ON role.oid = membership.member
ORDER BY "group", member

-- one row: a grant of a group to a member, from PostgreSQL 16 on
SELECT pg_get_userbyid(roleid)::text AS "group", pg_get_userbyid(member)::text AS member, inherit_option AS inherits,
       set_option AS may_become, admin_option AS is_admin, pg_get_userbyid(grantor)::text AS grantor
FROM pg_auth_members
ORDER BY "group", member, grantor

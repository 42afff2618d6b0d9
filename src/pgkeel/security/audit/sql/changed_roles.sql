-- one row: a role that is not as it was seen last: made, changed (attributes, groups) or gone
WITH now AS (
    SELECT role.rolname AS name, jsonb_build_object(
        'superuser', role.rolsuper, 'inherits', role.rolinherit, 'creates_roles', role.rolcreaterole,
        'creates_databases', role.rolcreatedb, 'can_login', role.rolcanlogin, 'replicates', role.rolreplication,
        'bypasses_rls', role.rolbypassrls, 'valid_until', role.rolvaliduntil,
        'member_of', (SELECT coalesce(jsonb_agg(DISTINCT member.roleid::regrole::text), '[]')
                      FROM pg_auth_members AS member WHERE member.member = role.oid)) AS seen
    FROM pg_roles AS role
    WHERE role.rolname NOT LIKE 'pg\_%%'
)
SELECT coalesce(now.name, before.name) AS name, before.seen AS before, now.seen AS after
FROM now
FULL JOIN audit.role_snapshot AS before USING (name)
WHERE now.seen IS DISTINCT FROM before.seen
ORDER BY name;

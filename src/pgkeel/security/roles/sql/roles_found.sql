-- one row: a role of the server, with what is set for it in every database
SELECT role.rolname::text AS name, role.rolcanlogin AS can_login, role.rolinherit AS inherits, role.rolsuper AS is_superuser,
       role.rolcreaterole AS creates_roles, role.rolcreatedb AS creates_databases, role.rolreplication AS replicates,
       role.rolbypassrls AS bypasses_rls, coalesce(kept.setconfig, '{}') AS settings
FROM pg_roles AS role
LEFT JOIN pg_db_role_setting AS kept ON kept.setrole = role.oid AND kept.setdatabase = 0
ORDER BY name

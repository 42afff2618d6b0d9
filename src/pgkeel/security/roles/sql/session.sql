-- one row: who asks, in which database, whose that is, and whether the server knows grant options of memberships
SELECT session_user::text AS login, role.rolsuper AS is_superuser, current_database()::text AS database,
       pg_get_userbyid(pg_database.datdba)::text AS database_owner,
       current_setting('server_version_num')::int >= 160000 AS has_grant_options
FROM pg_roles AS role
CROSS JOIN pg_database
WHERE role.rolname = session_user
  AND pg_database.datname = current_database()
ORDER BY 1

-- one row: a login that could undo a plan: a superuser, where one asked, or else the login that asks, if it makes roles and gets in
SELECT role.rolname::text AS name
FROM pg_roles AS role
WHERE role.rolcanlogin
  AND (
      (role.rolsuper AND %(superusers)s)
      OR (role.rolname = session_user AND role.rolcreaterole
          AND has_database_privilege(role.oid, current_database(), 'CONNECT'))
  )
ORDER BY name

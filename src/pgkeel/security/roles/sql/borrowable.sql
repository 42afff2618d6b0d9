-- one row: a role that owns our schemas and whose rights this login lacks, though it may take itself into it
SELECT owner.rolname::text AS name, login.rolname::text AS login, current_setting('server_version_num')::int >= 160000 AS has_options
FROM pg_roles AS owner
JOIN pg_roles AS login ON login.rolname = current_user
WHERE owner.rolname = ANY (%(owners)s)
  AND NOT login.rolsuper
  AND NOT EXISTS (
      SELECT FROM pg_auth_members AS kept
      WHERE kept.roleid = owner.oid AND kept.member = login.oid AND (kept.grantor = login.oid OR NOT kept.admin_option)
  )
  AND (
      (login.rolcreaterole AND current_setting('server_version_num')::int < 160000)
      OR EXISTS (
          SELECT FROM pg_auth_members AS kept WHERE kept.roleid = owner.oid AND kept.member = login.oid AND kept.admin_option
      )
  )
ORDER BY name

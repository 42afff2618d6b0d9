-- one row: a login, when its password ends (NULL: never), who is in by it now, and the server's time
SELECT role.rolname::text AS login, nullif(role.rolvaliduntil, 'infinity') AS valid_until,
       (SELECT count(*) FROM pg_stat_activity AS activity WHERE activity.usesysid = role.oid) AS sessions,
       clock_timestamp() AS now
FROM pg_roles AS role
WHERE role.rolname = ANY (%(logins)s)
ORDER BY login

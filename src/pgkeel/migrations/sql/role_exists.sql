-- one row: a role of that name
SELECT rolname
FROM pg_roles
WHERE rolname = %(role)s
ORDER BY rolname

-- one row: a schema or a role that people made
SELECT 'schema' AS kind, nspname AS name
FROM pg_namespace
WHERE nspname NOT LIKE 'pg\_%%' AND nspname <> 'information_schema'
UNION ALL
SELECT 'role', rolname
FROM pg_roles
WHERE rolname NOT LIKE 'pg\_%%'
ORDER BY kind, name

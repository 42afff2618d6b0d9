-- one row: the schema of pg_stat_statements; none where it is not installed
SELECT schemas.nspname AS schema
FROM pg_extension AS extensions
JOIN pg_namespace AS schemas ON schemas.oid = extensions.extnamespace
WHERE extensions.extname = 'pg_stat_statements'
ORDER BY 1

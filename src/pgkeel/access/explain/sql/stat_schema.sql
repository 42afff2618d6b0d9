-- one row: the schema of pg_stat_statements; none where it is not installed
SELECT extnamespace::regnamespace::text AS schema
FROM pg_extension
WHERE extname = 'pg_stat_statements'
ORDER BY 1

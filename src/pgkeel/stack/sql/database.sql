-- one row: the database of that name
SELECT oid
FROM pg_catalog.pg_database
WHERE datname = %(name)s
ORDER BY oid;

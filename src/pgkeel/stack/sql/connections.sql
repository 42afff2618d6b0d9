-- one row: how many connections a database allows; -1 is any number
SELECT datconnlimit AS connections
FROM pg_database
WHERE datname = %(name)s
ORDER BY 1

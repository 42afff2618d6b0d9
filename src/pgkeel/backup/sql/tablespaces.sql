-- one row: a tablespace besides the two that every cluster has, and where it lies
SELECT oid::int8 AS oid, spcname AS name, pg_tablespace_location(oid) AS location
FROM pg_tablespace
WHERE spcname NOT IN ('pg_default', 'pg_global')
ORDER BY 1

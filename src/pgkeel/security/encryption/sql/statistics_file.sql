-- one row: the file in which ANALYZE keeps samples of columns
SELECT pg_relation_filenode('pg_catalog.pg_statistic'::regclass) AS filenode
ORDER BY 1

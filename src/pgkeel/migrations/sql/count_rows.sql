-- one row: how many rows a table has itself, counted up to a bound
SELECT count(*) AS rows
FROM (SELECT FROM ONLY {table} LIMIT %(bound)s) AS counted
ORDER BY 1

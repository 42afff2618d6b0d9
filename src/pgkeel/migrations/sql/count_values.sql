-- one row: how many rows of a table hold a value in a column, counted up to a bound
SELECT count(*) AS rows
FROM (SELECT FROM ONLY {table} WHERE {column} IS NOT NULL LIMIT %(bound)s) AS counted
ORDER BY 1

-- one row: how many rows the table holds
SELECT count(*) AS rows
FROM ONLY {table}
ORDER BY 1

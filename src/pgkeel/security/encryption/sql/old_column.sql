-- one row: how many clear values stand beside an encrypted column
SELECT count(*) AS rows
FROM {table}
WHERE {old} IS NOT NULL
ORDER BY 1

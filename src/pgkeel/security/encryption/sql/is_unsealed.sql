-- one row: whether a row has only the old form
SELECT EXISTS (SELECT FROM {table} WHERE {column} IS NOT NULL AND {sealed} IS NULL) AS found
ORDER BY 1

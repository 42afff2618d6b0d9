-- one row: whether a table of that name is found
SELECT to_regclass(%(table)s) IS NOT NULL AS has_table
ORDER BY 1

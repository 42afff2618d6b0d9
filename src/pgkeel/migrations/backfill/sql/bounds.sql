-- one row: the lowest and the highest key of a table, each from the end of an index
SELECT (SELECT {key} FROM {table} ORDER BY {key} LIMIT 1) AS lowest,
       (SELECT {key} FROM {table} ORDER BY {key} DESC LIMIT 1) AS highest
ORDER BY 1, 2

-- one row: the key with which the next batch ends; NULL when no row is left
SELECT coalesce((SELECT {key} FROM {table} WHERE {key} > %(lo)s ORDER BY {key} OFFSET %(batch)s - 1 LIMIT 1),
                (SELECT {key} FROM {table} WHERE {key} > %(lo)s ORDER BY {key} DESC LIMIT 1)) AS hi
ORDER BY 1

-- one row: whether a relation of that name is there
SELECT to_regclass(%(name)s) IS NOT NULL AS is_there
ORDER BY 1

-- one row: whether the index of this name is there and valid
SELECT coalesce((
    SELECT indisvalid
    FROM pg_index
    WHERE indexrelid = to_regclass(%(name)s)
), false) AS has_index
ORDER BY 1

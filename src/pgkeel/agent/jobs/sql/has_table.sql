-- one row: whether a partitioned table of that name is found
SELECT EXISTS (
    SELECT FROM pg_partitioned_table WHERE partrelid = to_regclass(%(table)s)
) AS has_table
ORDER BY 1

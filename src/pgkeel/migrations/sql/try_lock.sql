-- one row: whether this session holds the runner's lock now
SELECT pg_try_advisory_lock(%(key)s) AS is_held
ORDER BY 1

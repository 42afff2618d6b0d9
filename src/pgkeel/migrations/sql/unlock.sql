-- one row: whether the runner's lock was given back
SELECT pg_advisory_unlock(%(key)s) AS was_held
ORDER BY 1

-- one row: a partition that is still attached, and whether its detaching was begun
SELECT inhdetachpending AS is_pending
FROM pg_inherits
WHERE inhrelid = to_regclass(%(partition)s)
ORDER BY 1

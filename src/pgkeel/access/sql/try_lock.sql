-- one row: whether the lock is held from now to the end of the transaction
SELECT pg_try_advisory_xact_lock(hashtextextended(%(key)s, 0)) AS is_held
ORDER BY 1

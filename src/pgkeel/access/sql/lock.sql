-- one row, once the lock is held: nothing
SELECT pg_advisory_xact_lock(hashtextextended(%(key)s, 0)) IS NULL AS is_held
ORDER BY 1

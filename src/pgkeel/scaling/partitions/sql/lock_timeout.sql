-- one row: the lock timeout of the running transaction, in milliseconds
SELECT set_config('lock_timeout', %(value)s, true) AS lock_timeout
ORDER BY 1

-- one row: how long this transaction waits for a lock
SELECT set_config('lock_timeout', %(wait)s, true) AS wait
ORDER BY 1

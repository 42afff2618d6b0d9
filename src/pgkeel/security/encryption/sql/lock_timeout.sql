-- one row: how long this session waits for a lock
SELECT set_config('lock_timeout', %(wait)s, false) AS wait
ORDER BY 1

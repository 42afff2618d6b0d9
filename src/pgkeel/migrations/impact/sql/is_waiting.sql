-- one row: whether a session waits for any lock
SELECT EXISTS (SELECT FROM pg_locks WHERE pid = %(pid)s AND NOT granted) AS is_waiting
ORDER BY 1

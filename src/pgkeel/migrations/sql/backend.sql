-- one row: the server process that answers this transaction
SELECT pg_backend_pid() AS pid
ORDER BY 1

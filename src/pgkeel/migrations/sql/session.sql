-- one row: what the executing session is
SELECT pg_backend_pid() AS pid,
       pg_is_in_recovery() AS is_standby,
       current_setting('transaction_read_only')::boolean AS is_read_only,
       current_setting('role') AS role
ORDER BY 1

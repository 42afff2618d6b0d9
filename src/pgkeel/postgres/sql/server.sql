-- one row: the connected server's version number and whether it is a standby
SELECT current_setting('server_version_num')::int AS number,
       pg_is_in_recovery() AS in_recovery
ORDER BY 1

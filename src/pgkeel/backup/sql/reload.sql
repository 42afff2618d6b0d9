-- one row: the server reads its configuration again
SELECT pg_reload_conf() ORDER BY 1

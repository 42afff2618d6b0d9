-- one row: for whom commits wait
SELECT current_setting('synchronous_standby_names') AS names ORDER BY 1

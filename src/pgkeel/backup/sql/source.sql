-- one row: what a backup must know of the server
SELECT
    current_setting('server_version_num')::int4 AS number,
    (SELECT system_identifier FROM pg_control_system())::text AS system,
    (SELECT timeline_id FROM pg_control_checkpoint()) AS timeline,
    current_setting('data_checksums')::bool AS checksums,
    current_setting('summarize_wal', true) IS NOT DISTINCT FROM 'on' AS summarizes,
    pg_is_in_recovery() AS in_recovery,
    current_user::text AS login,
    (SELECT rolsuper OR rolreplication FROM pg_roles WHERE rolname = current_user) AS replicates,
    ARRAY(SELECT oid::int8 FROM pg_tablespace WHERE spcname NOT IN ('pg_default', 'pg_global') ORDER BY oid) AS tablespaces
ORDER BY 1

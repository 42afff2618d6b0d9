-- one row: the cluster's identifier and the database's name
SELECT system_identifier || '/' || current_database() AS system FROM pg_control_system();

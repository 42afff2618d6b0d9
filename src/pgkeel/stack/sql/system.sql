-- one row: the cluster's identifier, by which a repository keeps its backups apart from others'
SELECT system_identifier::text AS system
FROM pg_control_system()
ORDER BY 1

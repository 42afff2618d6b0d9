-- one row: a slot of this session, which keeps all WAL from the last checkpoint on
SELECT slot_name, lsn::text AS lsn
FROM pg_create_physical_replication_slot('pgkeel_taking_' || pg_backend_pid(), true, true)
ORDER BY slot_name

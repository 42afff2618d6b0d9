-- one row: the name of a new slot of this session, gone with it
SELECT slot_name FROM pg_create_logical_replication_slot('pgkeel_cache_' || pg_backend_pid(), 'pgoutput', true) ORDER BY slot_name

-- one row: the slot, which reserves WAL at once: pg_receivewal --create-slot would only do so when it connects
SELECT slot_name, lsn::text AS lsn FROM pg_create_physical_replication_slot(%(slot)s, true) ORDER BY slot_name

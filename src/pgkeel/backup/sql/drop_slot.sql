-- one row: the slot is dropped
SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = %(slot)s AND NOT active ORDER BY slot_name

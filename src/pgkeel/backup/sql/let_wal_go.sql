-- one row: the slot of this session is dropped
SELECT pg_drop_replication_slot('pgkeel_taking_' || pg_backend_pid())

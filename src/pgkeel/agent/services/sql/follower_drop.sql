-- one row: the slot is gone
SELECT pg_drop_replication_slot(%(slot)s::name) AS dropped

-- one row: where the slot is now
SELECT end_lsn FROM pg_replication_slot_advance(%(slot)s::name, %(upto)s::pg_lsn) ORDER BY end_lsn

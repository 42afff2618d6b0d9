-- one row: whether somebody receives from the slot now
SELECT EXISTS (SELECT FROM pg_replication_slots WHERE slot_name = %(slot)s AND active) AS active ORDER BY 1

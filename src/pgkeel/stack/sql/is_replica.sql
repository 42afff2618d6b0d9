-- one row: whether the server follows another one
SELECT pg_is_in_recovery() AS is_replica

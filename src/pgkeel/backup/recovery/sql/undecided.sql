-- A transaction that is prepared.
SELECT gid, database FROM pg_prepared_xacts ORDER BY prepared, gid

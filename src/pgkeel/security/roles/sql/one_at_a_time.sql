-- utility: two appliers of the same database wait for each other; the key is ours
SELECT pg_advisory_xact_lock(7239301405);

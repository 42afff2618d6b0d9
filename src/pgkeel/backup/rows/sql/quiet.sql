-- utility: no trigger fires, so a row comes back with its own version and times.
SET LOCAL session_replication_role = replica

-- Whether the server still replays WAL.
SELECT pg_is_in_recovery() AS found;

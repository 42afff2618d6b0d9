-- utility: ends a transaction that is prepared in the connected database.
ROLLBACK PREPARED {gid}

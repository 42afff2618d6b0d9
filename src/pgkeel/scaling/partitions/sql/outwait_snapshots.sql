-- utility: returns when no transaction of this database can see the time before the copies; the index is of no other use
CREATE INDEX CONCURRENTLY ON {changes} ({key})

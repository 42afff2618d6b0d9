-- utility: build an index anew without blocking writes
REINDEX INDEX CONCURRENTLY {index}

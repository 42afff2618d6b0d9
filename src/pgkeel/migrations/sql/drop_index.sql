-- utility: remove an index without blocking writes
DROP INDEX CONCURRENTLY IF EXISTS {index}

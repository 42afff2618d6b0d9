-- one row: a partition by one column of time whose end is a day ago or earlier, and to which no open transaction has written
SELECT
    namespace.nspname AS schema,
    leaf.relname AS name,
    concat_ws('/', CASE WHEN leaf.reltablespace = 0 THEN base.dattablespace ELSE leaf.reltablespace END,
        base.oid, pg_relation_filenode(leaf.oid)) AS file,
    concat_ws('/', base.oid, leaf.oid) AS oid
FROM pg_class AS leaf
JOIN pg_namespace AS namespace ON namespace.oid = leaf.relnamespace
JOIN pg_inherits AS link ON link.inhrelid = leaf.oid
JOIN pg_partitioned_table AS whole ON whole.partrelid = link.inhparent
JOIN pg_attribute AS column_of ON column_of.attrelid = whole.partrelid AND column_of.attnum = whole.partattrs[0]
CROSS JOIN LATERAL (
    SELECT substring(pg_get_expr(leaf.relpartbound, leaf.oid) FROM 'TO \(''([^'']+)''\)') AS until
) AS bound
CROSS JOIN (SELECT oid, dattablespace FROM pg_database WHERE datname = current_database()) AS base
WHERE leaf.relkind = 'r' AND leaf.relispartition AND whole.partstrat = 'r' AND whole.partnatts = 1
  AND column_of.atttypid IN ('date'::regtype, 'timestamp'::regtype, 'timestamptz'::regtype)
  AND CASE WHEN bound.until ~ '^\d{4}-' THEN bound.until::timestamptz < now() - interval '1 day' ELSE false END
  AND NOT EXISTS (
      SELECT FROM pg_locks
      WHERE pg_locks.relation = leaf.oid AND pg_locks.database = base.oid
        AND pg_locks.mode IN ('RowExclusiveLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')
  )
ORDER BY bound.until DESC, schema, name

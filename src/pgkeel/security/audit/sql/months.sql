-- one row: a partition of audit.log, and how many rows it holds by the planner's estimate
SELECT child.relname AS name
FROM pg_inherits
JOIN pg_class AS child ON child.oid = pg_inherits.inhrelid
WHERE pg_inherits.inhparent = to_regclass('audit.log')
ORDER BY name;

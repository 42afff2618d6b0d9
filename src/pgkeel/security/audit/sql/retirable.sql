-- one row: a month whose partition may leave: every row of it is sealed and older than the bound
SELECT child.relname AS name, seal.month
FROM (SELECT DISTINCT month FROM audit.seal WHERE month + interval '1 month' <= %(bound)s::timestamptz AT TIME ZONE 'UTC') AS seal
JOIN pg_class AS child ON child.oid = to_regclass('audit.log_' || to_char(seal.month, 'YYYY_MM'))
JOIN pg_inherits ON pg_inherits.inhrelid = child.oid AND pg_inherits.inhparent = 'audit.record'::regclass
ORDER BY seal.month;

-- one row: a table that holds rows of the log, in it or detached from it, and what waits to be taken into it
SELECT class.relname::text AS name, (pg_inherits.inhparent IS NOT NULL OR class.relname = 'waiting') AS is_attached
FROM pg_class AS class
LEFT JOIN pg_inherits ON pg_inherits.inhrelid = class.oid
WHERE class.relnamespace = to_regnamespace('audit') AND (class.relkind = 'r' AND class.relname LIKE 'log\_%%' OR class.relname = 'waiting')
ORDER BY name

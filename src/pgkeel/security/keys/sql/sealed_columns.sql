-- one row: a column that may hold sealed values
SELECT namespace.nspname AS schema, class.relname AS "table", attribute.attname AS "column",
       row_security_active(class.oid) AS hides_rows
FROM pg_attribute AS attribute
JOIN pg_class AS class ON class.oid = attribute.attrelid
JOIN pg_namespace AS namespace ON namespace.oid = class.relnamespace
WHERE attribute.atttypid = 'bytea'::regtype
  AND NOT attribute.attisdropped
  AND class.relkind IN ('r', 'm')
  AND namespace.nspname NOT LIKE 'pg\_%%'
  AND namespace.nspname NOT IN ('information_schema', 'audit') -- the log holds seals, and rows as JSON
ORDER BY 1, 2, 3

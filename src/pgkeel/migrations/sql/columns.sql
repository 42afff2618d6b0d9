-- one row: a column of a table or materialized view that people made
SELECT class.oid::bigint AS relation, attribute.attnum AS number, namespace.nspname AS schema, class.relname AS "table",
       attribute.attname AS "column", greatest(class.reltuples, 0)::bigint AS about
FROM pg_class AS class
JOIN pg_namespace AS namespace ON namespace.oid = class.relnamespace
JOIN pg_attribute AS attribute ON attribute.attrelid = class.oid
WHERE class.relkind = 'r'
  AND class.relpersistence <> 't'
  AND attribute.attnum > 0
  AND NOT attribute.attisdropped
  AND namespace.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')
ORDER BY 1, 2

-- one row: a table and the column along which a backfill walks
SELECT namespace.nspname AS schema, class.relname AS "table", attribute.attname AS "column",
       format_type(attribute.atttypid, NULL) AS type,
       attribute.attnotnull AS is_not_null,
       row_security_active(class.oid) AS hides_rows,
       EXISTS (SELECT FROM pg_index AS index
               WHERE index.indrelid = class.oid
                 AND index.indkey[0] = attribute.attnum
                 AND index.indisvalid
                 AND index.indpred IS NULL) AS has_index
FROM pg_class AS class
JOIN pg_namespace AS namespace ON namespace.oid = class.relnamespace
LEFT JOIN pg_index AS main ON main.indrelid = class.oid AND main.indisprimary AND main.indnkeyatts = 1
LEFT JOIN pg_attribute AS attribute ON attribute.attrelid = class.oid
    AND attribute.attnum > 0
    AND NOT attribute.attisdropped
    AND CASE WHEN %(key)s::text IS NULL THEN attribute.attnum = main.indkey[0] ELSE attribute.attname = lower(%(key)s::text) END
WHERE class.oid = to_regclass(%(table)s::text) AND class.relkind IN ('r', 'p')
ORDER BY 1, 2

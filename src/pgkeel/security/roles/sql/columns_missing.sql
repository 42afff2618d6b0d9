-- the declared columns that their tables do not have
SELECT concat_ws('.', declared.in_schema, declared.in_table, declared.name) AS name
FROM unnest(%(schemas)s::text[], %(tables)s::text[], %(columns)s::text[]) AS declared (in_schema, in_table, name)
WHERE NOT EXISTS (
    SELECT FROM pg_attribute
    JOIN pg_class ON pg_class.oid = attrelid
    JOIN pg_namespace ON pg_namespace.oid = relnamespace
    WHERE nspname = declared.in_schema AND relname = declared.in_table AND attname = declared.name
        AND attnum > 0 AND NOT attisdropped
)
ORDER BY 1

-- tables among these whose rows an application knows by an id that is not their whole primary key
SELECT named.relation
FROM unnest(%(relations)s::text[]) AS named (relation)
JOIN pg_namespace ON true
JOIN pg_class ON pg_class.relnamespace = pg_namespace.oid
             AND CASE pg_namespace.nspname WHEN 'public' THEN '' ELSE pg_namespace.nspname || '.' END || pg_class.relname = named.relation
JOIN pg_attribute ON pg_attribute.attrelid = pg_class.oid AND pg_attribute.attname = 'id' AND NOT pg_attribute.attisdropped
JOIN pg_index ON pg_index.indrelid = pg_class.oid AND pg_index.indisprimary
WHERE pg_index.indkey::text <> pg_attribute.attnum::text
ORDER BY named.relation

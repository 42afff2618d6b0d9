-- as which table an application knows rows of a relation, and whether by an id that is not its whole primary key
WITH named AS (
    SELECT pg_class.oid, pg_class.relispartition,
           CASE pg_namespace.nspname WHEN 'public' THEN '' ELSE pg_namespace.nspname || '.' END || pg_class.relname AS name
    FROM pg_class JOIN pg_namespace ON pg_namespace.oid = pg_class.relnamespace
    WHERE pg_class.relkind IN ('r', 'p')
)
SELECT given.relation, top.name AS table_name,
       EXISTS (SELECT FROM pg_attribute JOIN pg_index ON pg_index.indrelid = pg_attribute.attrelid AND pg_index.indisprimary
               WHERE pg_attribute.attrelid = top.oid AND pg_attribute.attname = 'id' AND NOT pg_attribute.attisdropped
                 AND pg_index.indkey::text <> pg_attribute.attnum::text) AS is_by_id
FROM unnest(%(relations)s::text[]) AS given (relation)
JOIN named ON named.name = given.relation
JOIN named AS top ON top.oid = CASE WHEN named.relispartition THEN pg_partition_root(named.oid) ELSE named.oid END
ORDER BY given.relation

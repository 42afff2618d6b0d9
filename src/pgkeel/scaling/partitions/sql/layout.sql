-- one row: a partitioned table, its key and columns, and what stands in the way of moving its rows
SELECT namespace.nspname::text AS schema,
       class.relname::text AS table,
       partitioned.partstrat AS strategy,
       key.attname::text AS key,
       format_type(key.atttypid, NULL) AS key_type,
       ARRAY(
           SELECT column_.attname::text
           FROM pg_attribute AS column_
           WHERE column_.attrelid = class.oid AND column_.attnum > 0
             AND NOT column_.attisdropped AND column_.attgenerated = ''
           ORDER BY column_.attnum
       ) AS columns,
       ARRAY(
           SELECT column_.attname::text
           FROM pg_index AS index
           JOIN pg_attribute AS column_ ON column_.attrelid = class.oid AND column_.attnum = ANY (index.indkey)
           WHERE index.indrelid = class.oid AND index.indisprimary
           ORDER BY column_.attnum
       ) AS primary_key,
       EXISTS (
           SELECT FROM pg_constraint WHERE confrelid = class.oid AND contype = 'f'
       ) AS is_referenced,
       EXISTS (
           SELECT FROM pg_publication_tables AS published
           JOIN pg_partition_tree(class.oid) AS tree ON true
           JOIN pg_class AS leaf ON leaf.oid = tree.relid
           WHERE published.schemaname = namespace.nspname
             AND published.tablename IN (class.relname, leaf.relname)
       ) AS is_published
FROM pg_partitioned_table AS partitioned
JOIN pg_class AS class ON class.oid = partitioned.partrelid
JOIN pg_namespace AS namespace ON namespace.oid = class.relnamespace
LEFT JOIN pg_attribute AS key
    ON key.attrelid = class.oid AND partitioned.partnatts = 1 AND key.attnum = partitioned.partattrs[0]
WHERE class.oid = to_regclass(%(table)s)
ORDER BY 1, 2

-- one row: a table, whether it is one that can be watched, of which other it is a partition, and which other tables inherit from it
SELECT relation.relkind IN ('r', 'p') AND relation.relnamespace NOT IN ('audit'::regnamespace, 'pg_catalog'::regnamespace) AS is_table,
       CASE WHEN relation.relispartition THEN root_space.nspname || '.' || root.relname END AS part_of,
       ARRAY(SELECT space.nspname || '.' || heir.relname
             FROM pg_inherits AS inherits JOIN pg_class AS heir ON heir.oid = inherits.inhrelid AND NOT heir.relispartition
             JOIN pg_namespace AS space ON space.oid = heir.relnamespace
             WHERE inherits.inhparent = relation.oid) AS heirs
FROM pg_class AS relation
JOIN pg_class AS root ON root.oid = coalesce(pg_partition_root(relation.oid), relation.oid)
JOIN pg_namespace AS root_space ON root_space.oid = root.relnamespace
WHERE relation.oid = to_regclass(format('%%I.%%I', %(schema)s::text, %(table)s::text));

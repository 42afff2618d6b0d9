-- one row: a table, its size with indexes and partitions, its rows, its traffic, its columns, its partition key
SELECT CASE WHEN namespaces.nspname = 'public' THEN '' ELSE namespaces.nspname || '.' END || tables.relname AS name
     , coalesce((SELECT sum(pg_total_relation_size(leaves.relid))
                 FROM pg_partition_tree(tables.oid) AS leaves), pg_total_relation_size(tables.oid))::bigint AS bytes
     , tables.reltuples::bigint AS rows
     , coalesce((SELECT sum(coalesce(counts.seq_scan, 0) + coalesce(counts.idx_scan, 0)
                            + counts.n_tup_ins + counts.n_tup_upd + counts.n_tup_del)
                 FROM pg_stat_all_tables AS counts
                 WHERE counts.relid = tables.oid), 0)::float8
       / greatest(extract(epoch FROM now() - coalesce(
             (SELECT stats_reset FROM pg_stat_database WHERE datname = current_database())
             , pg_postmaster_start_time())), 1)::float8 AS calls
     , (SELECT coalesce(jsonb_object_agg(columns.attname, CASE types.typname
                  WHEN 'varchar' THEN 'varchar' || coalesce(substring(format_type(columns.atttypid, columns.atttypmod) FROM '\([0-9]+\)'), '')
                  ELSE types.typname || coalesce(substring(format_type(columns.atttypid, columns.atttypmod) FROM '\([0-9,]+\)'), '')
              END), '{}')
        FROM pg_attribute AS columns
        JOIN pg_type AS types ON types.oid = columns.atttypid
        WHERE columns.attrelid = tables.oid AND columns.attnum > 0 AND NOT columns.attisdropped) AS types
     , (SELECT array_agg(columns.attname::text ORDER BY parts.place)
        FROM pg_partitioned_table AS partitioned
        CROSS JOIN unnest(partitioned.partattrs::smallint[]) WITH ORDINALITY AS parts (attnum, place)
        JOIN pg_attribute AS columns ON columns.attrelid = partitioned.partrelid AND columns.attnum = parts.attnum
        WHERE partitioned.partrelid = tables.oid) AS key
FROM pg_class AS tables
JOIN pg_namespace AS namespaces ON namespaces.oid = tables.relnamespace
WHERE tables.relkind IN ('r', 'p', 'm')
  AND namespaces.nspname NOT IN ('pg_catalog', 'information_schema') AND namespaces.nspname NOT LIKE 'pg\_toast%%'
ORDER BY name

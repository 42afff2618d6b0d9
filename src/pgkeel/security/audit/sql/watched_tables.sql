-- one row: an audited table, whether it is still there, as it was, of how many kinds of writes its triggers tell whoever writes and whatever
-- the row, which of its partitions tell of less or have no trigger for TRUNCATE yet, whether its owner cannot make any, of which table it is a
-- partition itself, and which tables that inherit from it nobody watches
WITH told AS MATERIALIZED (
    SELECT trigger.tgrelid, array_agg(trigger.tgname::text) AS of
    FROM pg_trigger AS trigger JOIN pg_proc AS proc ON proc.oid = trigger.tgfoid
    WHERE trigger.tgname LIKE 'pgkeel\_audit\_%%' AND trigger.tgenabled = 'A' AND trigger.tgqual IS NULL
      AND cardinality(trigger.tgattr::int2[]) = 0 AND proc.pronamespace = 'audit'::regnamespace
      AND proc.proname LIKE '%%' || substr(trigger.tgname, 13) -- the kind of write, and its bit
      AND trigger.tgtype & 126 = CASE substr(trigger.tgname, 14) WHEN 'insert' THEN 4 WHEN 'delete' THEN 8 WHEN 'update' THEN 16 ELSE 32 END
    GROUP BY trigger.tgrelid
), called AS (
    SELECT relation.oid, relation.relkind, relation.relowner, relation.relispartition, namespace.nspname || '.' || relation.relname AS name
    FROM pg_class AS relation JOIN pg_namespace AS namespace ON namespace.oid = relation.relnamespace
)
SELECT watched.table_name, watched.masked,
       relation.oid IS NOT NULL AS exists,
       relation.oid IS NOT NULL AND watched.shape = audit.shape_of(relation.oid)
           AND NOT EXISTS (SELECT FROM pg_attribute WHERE attrelid = relation.oid AND attnum > 0 AND NOT attisdropped
                           AND attname <> ALL (watched.known)) AS is_as_it_was,
       (SELECT coalesce(max(cardinality(told.of)), 0) FROM told WHERE told.tgrelid = relation.oid) AS triggers,
       ARRAY(SELECT tree.relid::regclass::text FROM pg_partition_tree(relation.oid) AS tree LEFT JOIN told ON told.tgrelid = tree.relid
             WHERE tree.relid <> relation.oid
               AND (told.of @> '{pgkeel_audit_insert,pgkeel_audit_update,pgkeel_audit_delete}') IS NOT TRUE
             ORDER BY 1) AS silent,
       ARRAY(SELECT tree.relid::regclass::text
             FROM pg_partition_tree(relation.oid) AS tree JOIN called AS part ON part.oid = tree.relid LEFT JOIN told ON told.tgrelid = part.oid
             WHERE part.oid <> relation.oid AND part.relkind <> 'f' AND (told.of @> '{pgkeel_audit_truncate}') IS NOT TRUE
             ORDER BY 1) AS unfollowed,
       relation.relkind = 'p' AND EXISTS (
           SELECT FROM pg_trigger AS trigger
           WHERE trigger.tgrelid = relation.oid AND trigger.tgname LIKE 'pgkeel\_audit\_%%' AND trigger.tgname NOT LIKE '%%truncate'
             AND NOT has_function_privilege(relation.relowner, trigger.tgfoid, 'EXECUTE')) AS owner_cannot,
       (SELECT root.name FROM called AS root WHERE relation.relispartition AND root.oid = pg_partition_root(relation.oid)) AS part_of,
       ARRAY(SELECT heir.name FROM pg_inherits AS inherits JOIN called AS heir ON heir.oid = inherits.inhrelid AND NOT heir.relispartition
             WHERE inherits.inhparent = relation.oid AND heir.name NOT IN (SELECT known.table_name FROM audit.watched AS known)
             ORDER BY 1) AS heirs
FROM audit.watched
LEFT JOIN called AS relation ON relation.name = watched.table_name
ORDER BY watched.table_name;

-- one row: a relation that has a file, with the numbers by which the WAL names it
SELECT
    CASE WHEN relation.reltablespace = 0 THEN base.dattablespace ELSE relation.reltablespace END::int8 AS tablespace,
    CASE WHEN relation.relisshared THEN 0 ELSE base.oid END::int8 AS database,
    pg_relation_filenode(relation.oid)::int8 AS file,
    relation.oid::int8 AS oid,
    namespace.nspname AS schema,
    relation.relname AS name,
    relation.relkind::text AS kind,
    (
        SELECT owner_namespace.nspname || '.' || owner.relname
        FROM pg_class AS owner
        JOIN pg_namespace AS owner_namespace ON owner_namespace.oid = owner.relnamespace
        WHERE owner.reltoastrelid = relation.oid AND relation.relkind = 't'
    ) AS table,
    (
        SELECT root_namespace.nspname || '.' || root.relname
        FROM pg_class AS root
        JOIN pg_namespace AS root_namespace ON root_namespace.oid = root.relnamespace
        WHERE relation.relispartition AND root.oid = pg_partition_root(relation.oid)
    ) AS parent,
    ARRAY(
        WITH RECURSIVE above (oid) AS (
            SELECT direct.inhparent FROM pg_inherits AS direct WHERE direct.inhrelid = relation.oid
            UNION
            SELECT next.inhparent FROM pg_inherits AS next JOIN above ON above.oid = next.inhrelid
        )
        SELECT above_namespace.nspname || '.' || ancestor.relname
        FROM above
        JOIN pg_class AS ancestor ON ancestor.oid = above.oid
        JOIN pg_namespace AS above_namespace ON above_namespace.oid = ancestor.relnamespace
        ORDER BY 1
    ) AS above
FROM pg_class AS relation
JOIN pg_namespace AS namespace ON namespace.oid = relation.relnamespace
CROSS JOIN (SELECT oid, dattablespace FROM pg_database WHERE datname = current_database()) AS base
WHERE pg_relation_filenode(relation.oid) IS NOT NULL
ORDER BY schema, name

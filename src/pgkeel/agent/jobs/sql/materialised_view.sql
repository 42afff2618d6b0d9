-- at most one row: the materialised view of that name, and whether readers can go on while it is refreshed
SELECT
    n.nspname AS schema,
    c.relname AS name,
    c.relispopulated AND EXISTS (
        SELECT FROM pg_index AS i
        WHERE i.indrelid = c.oid AND i.indisunique AND i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NULL
    ) AS is_concurrent
FROM pg_class AS c
JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.oid = to_regclass(%(view)s) AND c.relkind = 'm'
ORDER BY 1, 2

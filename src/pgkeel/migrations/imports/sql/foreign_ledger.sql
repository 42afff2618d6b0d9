-- one row: where the other tool keeps what it has applied
SELECT namespace.nspname AS schema, class.relname::text AS name
FROM pg_class AS class
JOIN pg_namespace AS namespace ON namespace.oid = class.relnamespace
WHERE class.oid = to_regclass(%(name)s) AND class.relkind IN ('r', 'p')
ORDER BY 1

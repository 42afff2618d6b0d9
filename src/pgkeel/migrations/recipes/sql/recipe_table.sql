-- one row: a table that a recipe works on
SELECT class.oid::bigint AS id,
       namespace.nspname AS schema,
       class.relname AS name,
       class.relkind IN ('r', 'p') AS is_table,
       class.relkind = 'p' AS is_partitioned,
       class.relispartition AS is_partition,
       CASE namespace.nspname WHEN 'public' THEN quote_ident(class.relname)
            ELSE format('%%I.%%I', namespace.nspname, class.relname) END AS sql
FROM pg_class AS class
JOIN pg_namespace AS namespace ON namespace.oid = class.relnamespace
WHERE class.relname = %(name)s AND namespace.nspname = %(schema)s AND class.relkind IN ('r', 'p', 'v', 'm', 'f')
ORDER BY 1

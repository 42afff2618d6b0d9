-- one row: the name of a table that could have been meant
SELECT CASE namespace.nspname WHEN 'public' THEN class.relname::text ELSE concat_ws('.', namespace.nspname, class.relname) END AS name
FROM pg_class AS class
JOIN pg_namespace AS namespace ON namespace.oid = class.relnamespace
WHERE class.relkind IN ('r', 'p')
  AND namespace.nspname NOT IN ('pg_catalog', 'information_schema', 'pgkeel')
ORDER BY name

-- one row: a column of a table that is no partition; tables of the first schema are named without it
SELECT CASE WHEN namespace.nspname = (%(schemas)s::text[])[1] THEN relation.relname
            ELSE concat_ws('.', namespace.nspname, relation.relname) END AS table_name,
       attribute.attname AS column_name,
       format_type(attribute.atttypid, attribute.atttypmod) AS type,
       NOT attribute.attnotnull AS is_nullable
FROM pg_attribute AS attribute
JOIN pg_class AS relation ON relation.oid = attribute.attrelid
JOIN pg_namespace AS namespace ON namespace.oid = relation.relnamespace
WHERE namespace.nspname = ANY (%(schemas)s::text[])
  AND relation.relkind IN ('r', 'p', 'f')
  AND NOT relation.relispartition
  AND attribute.attnum > 0
  AND NOT attribute.attisdropped
  AND NOT EXISTS (SELECT FROM pg_depend WHERE classid = 'pg_class'::regclass AND objid = relation.oid AND deptype = 'e')
ORDER BY table_name, attribute.attnum

-- one row: a primary key (p), unique set of columns (u) or foreign key (f) of a table that is no partition
WITH tables AS (
    SELECT relation.oid,
           CASE WHEN namespace.nspname = (%(schemas)s::text[])[1] THEN relation.relname
                ELSE concat_ws('.', namespace.nspname, relation.relname) END AS name
    FROM pg_class AS relation
    JOIN pg_namespace AS namespace ON namespace.oid = relation.relnamespace
    WHERE namespace.nspname = ANY (%(schemas)s::text[]) AND NOT relation.relispartition
)
SELECT child.name AS table_name,
       pg_constraint.contype::text AS kind,
       ARRAY (
           SELECT attribute.attname::text
           FROM unnest(pg_constraint.conkey) WITH ORDINALITY AS key (number, place)
           JOIN pg_attribute AS attribute ON attribute.attrelid = pg_constraint.conrelid AND attribute.attnum = key.number
           ORDER BY key.place
       ) AS columns,
       parent.name AS parent_name,
       ARRAY (
           SELECT attribute.attname::text
           FROM unnest(pg_constraint.confkey) WITH ORDINALITY AS key (number, place)
           JOIN pg_attribute AS attribute ON attribute.attrelid = pg_constraint.confrelid AND attribute.attnum = key.number
           ORDER BY key.place
       ) AS parent_columns
FROM pg_constraint
JOIN tables AS child ON child.oid = pg_constraint.conrelid
LEFT JOIN tables AS parent ON parent.oid = pg_constraint.confrelid
WHERE pg_constraint.contype IN ('p', 'u', 'f')
  AND pg_constraint.conparentid = 0
  AND (pg_constraint.contype <> 'f' OR parent.oid IS NOT NULL)
UNION
SELECT tables.name, 'u', ARRAY (
           SELECT attribute.attname::text
           FROM pg_attribute AS attribute
           WHERE attribute.attrelid = tables.oid AND attribute.attnum = ANY (pg_index.indkey::smallint[])
           ORDER BY attribute.attnum
       ), NULL, ARRAY[]::text[]
FROM pg_index
JOIN tables ON tables.oid = pg_index.indrelid
WHERE pg_index.indisunique AND pg_index.indpred IS NULL AND pg_index.indexprs IS NULL
ORDER BY table_name, kind, columns

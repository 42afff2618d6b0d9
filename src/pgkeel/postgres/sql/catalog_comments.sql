-- one row: a comment on a table, view, index, sequence or column
SELECT concat_ws('.', format('%%I.%%I', namespace.nspname, relation.relname), quote_ident(attribute.attname)) AS name,
       pg_description.description AS definition
FROM pg_description
JOIN pg_class AS relation ON relation.oid = pg_description.objoid
JOIN pg_namespace AS namespace ON namespace.oid = relation.relnamespace
LEFT JOIN pg_attribute AS attribute ON attribute.attrelid = relation.oid AND attribute.attnum = pg_description.objsubid
    AND attribute.attnum > 0
WHERE namespace.nspname = ANY (%(schemas)s)
  AND pg_description.classoid = 'pg_class'::regclass
ORDER BY name

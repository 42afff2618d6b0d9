-- one row: a column with what is said about it, each thing apart
SELECT relation.tableoid AS class, relation.oid AS id, attribute.attnum::integer AS sub,
       format('%%I.%%I.%%I', namespace.nspname, relation.relname, attribute.attname) AS name,
       '' AS made,
       format('ALTER %%s %%I.%%I DROP %%s %%I', CASE relation.relkind WHEN 'c' THEN 'TYPE' ELSE 'TABLE' END, namespace.nspname,
           relation.relname, CASE relation.relkind WHEN 'c' THEN 'ATTRIBUTE' ELSE 'COLUMN' END, attribute.attname) AS dropped,
       jsonb_build_object(
           'relation', format('%%I.%%I', namespace.nspname, relation.relname),
           'relation_kind', relation.relkind,
           'column', quote_ident(attribute.attname),
           'check', quote_ident(left(attribute.attname, 50) || '_not_null'),
           'position', attribute.attnum,
           'type', concat_ws(' COLLATE ', format_type(attribute.atttypid, attribute.atttypmod),
               CASE WHEN attribute.attcollation <> pg_type.typcollation THEN attribute.attcollation::regcollation END),
           'cast', format_type(attribute.atttypid, attribute.atttypmod),
           'default', CASE WHEN attribute.attgenerated = '' THEN pg_get_expr(pg_attrdef.adbin, pg_attrdef.adrelid) END,
           'generated', CASE WHEN attribute.attgenerated <> '' THEN
               format('GENERATED ALWAYS AS (%%s) %%s', pg_get_expr(pg_attrdef.adbin, pg_attrdef.adrelid),
                   CASE attribute.attgenerated WHEN 's' THEN 'STORED' ELSE 'VIRTUAL' END) END,
           'not_null', attribute.attnotnull,
           'identity', CASE attribute.attidentity WHEN 'a' THEN 'ALWAYS' WHEN 'd' THEN 'BY DEFAULT' END) AS facts
FROM pg_attribute AS attribute
JOIN pg_class AS relation ON relation.oid = attribute.attrelid
JOIN pg_namespace AS namespace ON namespace.oid = relation.relnamespace
JOIN pg_type ON pg_type.oid = attribute.atttypid
LEFT JOIN pg_attrdef ON pg_attrdef.adrelid = attribute.attrelid AND pg_attrdef.adnum = attribute.attnum
WHERE namespace.nspname = ANY (%(schemas)s)
  AND relation.relkind IN ('r', 'p', 'f', 'v', 'm', 'c')
  AND NOT relation.relispartition
  AND attribute.attnum > 0
  AND NOT attribute.attisdropped
ORDER BY name

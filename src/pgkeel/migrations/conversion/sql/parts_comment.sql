-- one row: a comment on a table, view, index, sequence or column
SELECT 0::oid AS class, pg_description.objoid AS id, pg_description.objsubid AS sub,
       concat_ws('.', format('%%I.%%I', namespace.nspname, relation.relname), quote_ident(attribute.attname)) AS name,
       format('%%s IS %%L', target.title, pg_description.description) AS made,
       format('%%s IS NULL', target.title) AS dropped,
       jsonb_build_object('on_class', relation.tableoid::bigint, 'on_id', relation.oid::bigint, 'on_sub', pg_description.objsubid)
           AS facts
FROM pg_description
JOIN pg_class AS relation ON relation.oid = pg_description.objoid
JOIN pg_namespace AS namespace ON namespace.oid = relation.relnamespace
LEFT JOIN pg_attribute AS attribute ON attribute.attrelid = relation.oid AND attribute.attnum = pg_description.objsubid
    AND attribute.attnum > 0
CROSS JOIN LATERAL (
    SELECT CASE WHEN attribute.attnum IS NOT NULL
        THEN format('COMMENT ON COLUMN %%I.%%I.%%I', namespace.nspname, relation.relname, attribute.attname)
        ELSE format('COMMENT ON %%s %%I.%%I', CASE relation.relkind WHEN 'v' THEN 'VIEW' WHEN 'm' THEN 'MATERIALIZED VIEW'
            WHEN 'S' THEN 'SEQUENCE' WHEN 'i' THEN 'INDEX' WHEN 'I' THEN 'INDEX' WHEN 'c' THEN 'TYPE'
            WHEN 'f' THEN 'FOREIGN TABLE' ELSE 'TABLE' END, namespace.nspname, relation.relname) END AS title
) AS target
WHERE namespace.nspname = ANY (%(schemas)s)
  AND pg_description.classoid = 'pg_class'::regclass
ORDER BY name

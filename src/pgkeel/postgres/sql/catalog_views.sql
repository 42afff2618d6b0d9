-- one row: a view with its text and, because majors qualify names differently in it, with the columns that it reads
SELECT format('%%I.%%I', namespace.nspname, relation.relname) AS name,
       relation.relkind = 'm' AS is_materialized,
       array_to_string(relation.reloptions, ', ') AS options,
       pg_get_viewdef(relation.oid) AS text,
       ARRAY (
           SELECT DISTINCT format('%%s.%%I', pg_depend.refobjid::regclass, attribute.attname)
           FROM pg_rewrite
           JOIN pg_depend ON pg_depend.classid = 'pg_rewrite'::regclass AND pg_depend.objid = pg_rewrite.oid
           JOIN pg_attribute AS attribute ON attribute.attrelid = pg_depend.refobjid AND attribute.attnum = pg_depend.refobjsubid
           WHERE pg_rewrite.ev_class = relation.oid
             AND pg_depend.refclassid = 'pg_class'::regclass
             AND pg_depend.refobjsubid > 0
           ORDER BY 1
       ) AS reads
FROM pg_class AS relation
JOIN pg_namespace AS namespace ON namespace.oid = relation.relnamespace
WHERE namespace.nspname = ANY (%(schemas)s)
  AND relation.relkind IN ('v', 'm')
  AND NOT EXISTS (SELECT FROM pg_depend WHERE classid = 'pg_class'::regclass AND objid = relation.oid AND deptype = 'e')
ORDER BY name

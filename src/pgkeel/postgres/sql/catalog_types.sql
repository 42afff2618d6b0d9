-- one row: an enum with its words, a domain with its base, or a composite type (its columns are listed with the columns)
SELECT format('%%I.%%I', namespace.nspname, pg_type.typname) AS name,
       CASE pg_type.typtype
           WHEN 'e' THEN 'enum (' || (
               SELECT string_agg(quote_literal(enumlabel), ', ' ORDER BY enumsortorder) FROM pg_enum WHERE enumtypid = pg_type.oid
           ) || ')'
           WHEN 'd' THEN concat_ws(' ', 'domain', format_type(pg_type.typbasetype, pg_type.typtypmod),
               CASE WHEN pg_type.typnotnull THEN 'NOT NULL' END, 'DEFAULT ' || pg_type.typdefault)
           WHEN 'r' THEN 'range'
           ELSE 'composite'
       END AS definition
FROM pg_type
JOIN pg_namespace AS namespace ON namespace.oid = pg_type.typnamespace
LEFT JOIN pg_class AS relation ON relation.oid = pg_type.typrelid
WHERE namespace.nspname = ANY (%(schemas)s)
  AND (pg_type.typtype IN ('e', 'd', 'r') OR relation.relkind = 'c')
  AND NOT EXISTS (SELECT FROM pg_depend WHERE classid = 'pg_type'::regclass AND objid = pg_type.oid AND deptype = 'e')
ORDER BY name

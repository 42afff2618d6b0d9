-- one row: an enum, domain, range or composite type
SELECT pg_type.tableoid AS class, pg_type.oid AS id, 0 AS sub,
       format('%%I.%%I', namespace.nspname, pg_type.typname) AS name,
       CASE pg_type.typtype
           WHEN 'e' THEN format('CREATE TYPE %%I.%%I AS ENUM (%%s)', namespace.nspname, pg_type.typname, labels.quoted)
           WHEN 'd' THEN concat_ws(' ', format('CREATE DOMAIN %%I.%%I AS %%s', namespace.nspname, pg_type.typname,
               format_type(pg_type.typbasetype, pg_type.typtypmod)), 'DEFAULT ' || pg_type.typdefault,
               CASE WHEN pg_type.typnotnull THEN 'NOT NULL' END)
           WHEN 'c' THEN format('CREATE TYPE %%I.%%I AS', namespace.nspname, pg_type.typname)
           ELSE '' END AS made,
       format('DROP %%s %%I.%%I', CASE pg_type.typtype WHEN 'd' THEN 'DOMAIN' ELSE 'TYPE' END, namespace.nspname,
           pg_type.typname) AS dropped,
       jsonb_build_object('kind', pg_type.typtype, 'labels', coalesce(labels.words, '[]'), 'quoted_labels',
           coalesce(labels.quoted_words, '[]'),
           'base', format_type(pg_type.typbasetype, pg_type.typtypmod), 'default', pg_type.typdefault,
           'not_null', pg_type.typnotnull,
           'renamed', format('ALTER TYPE %%I.%%I RENAME TO %%I', namespace.nspname, pg_type.typname,
               left(pg_type.typname, 55) || '_old'),
           'dropped_aside', format('DROP TYPE %%I.%%I', namespace.nspname, left(pg_type.typname, 55) || '_old')) AS facts
FROM pg_type
JOIN pg_namespace AS namespace ON namespace.oid = pg_type.typnamespace
LEFT JOIN pg_class AS relation ON relation.oid = pg_type.typrelid
CROSS JOIN LATERAL (
    SELECT string_agg(quote_literal(enumlabel), ', ' ORDER BY enumsortorder) AS quoted,
           jsonb_agg(enumlabel ORDER BY enumsortorder) AS words,
           jsonb_agg(quote_literal(enumlabel) ORDER BY enumsortorder) AS quoted_words
    FROM pg_enum
    WHERE enumtypid = pg_type.oid
) AS labels
WHERE namespace.nspname = ANY (%(schemas)s)
  AND (pg_type.typtype IN ('e', 'd', 'r') OR relation.relkind = 'c')
ORDER BY name

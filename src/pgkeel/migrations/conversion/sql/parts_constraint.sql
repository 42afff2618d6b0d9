-- one row: a constraint of a table or domain; `using_index` takes an index that was built beside the writers
SELECT pg_constraint.tableoid AS class, pg_constraint.oid AS id, 0 AS sub,
       format('%%I.%%I.%%I', namespace.nspname, coalesce(relation.relname, pg_type.typname), pg_constraint.conname) AS name,
       format('ALTER %%s ADD CONSTRAINT %%I %%s', owner.title, pg_constraint.conname, pg_get_constraintdef(pg_constraint.oid))
           AS made,
       format('ALTER %%s DROP CONSTRAINT %%I', owner.title, pg_constraint.conname) AS dropped,
       jsonb_build_object(
           'type', pg_constraint.contype,
           'table', CASE WHEN relation.oid IS NULL THEN '' ELSE format('%%I.%%I', namespace.nspname, relation.relname) END,
           'is_partitioned', coalesce(relation.relkind = 'p', false),
           'is_valid', pg_constraint.convalidated,
           'inline', format('CONSTRAINT %%I %%s', pg_constraint.conname, pg_get_constraintdef(pg_constraint.oid)),
           'validated', format('ALTER %%s VALIDATE CONSTRAINT %%I', owner.title, pg_constraint.conname),
           'index', CASE WHEN pg_constraint.contype IN ('p', 'u') THEN pg_get_indexdef(pg_constraint.conindid) END,
           'using_index', format('ALTER %%s ADD CONSTRAINT %%I %%s USING INDEX %%I%%s%%s', owner.title, pg_constraint.conname,
               CASE pg_constraint.contype WHEN 'p' THEN 'PRIMARY KEY' ELSE 'UNIQUE' END, pg_constraint.conname,
               CASE WHEN pg_constraint.condeferrable THEN ' DEFERRABLE' END,
               CASE WHEN pg_constraint.condeferred THEN ' INITIALLY DEFERRED' END)) AS facts
FROM pg_constraint
JOIN pg_namespace AS namespace ON namespace.oid = pg_constraint.connamespace
LEFT JOIN pg_class AS relation ON relation.oid = pg_constraint.conrelid
LEFT JOIN pg_type ON pg_type.oid = pg_constraint.contypid
CROSS JOIN LATERAL (
    SELECT format(CASE WHEN relation.oid IS NULL THEN 'DOMAIN %%I.%%I' ELSE 'TABLE %%I.%%I' END, namespace.nspname,
        coalesce(relation.relname, pg_type.typname)) AS title
) AS owner
WHERE namespace.nspname = ANY (%(schemas)s)
  AND pg_constraint.contype NOT IN ('n', 't')
  AND pg_constraint.conparentid = 0
  AND (pg_constraint.conislocal OR relation.oid IS NULL)
ORDER BY name

-- one row: a constraint that older rows may break
SELECT format('%%I.%%I.%%I', namespace.nspname, coalesce(relation.relname, pg_type.typname), pg_constraint.conname) AS name,
       format('ALTER %%s %%I.%%I VALIDATE CONSTRAINT %%I', CASE WHEN relation.oid IS NULL THEN 'DOMAIN' ELSE 'TABLE' END,
           namespace.nspname, coalesce(relation.relname, pg_type.typname), pg_constraint.conname) AS fix
FROM pg_constraint
JOIN pg_namespace AS namespace ON namespace.oid = pg_constraint.connamespace
LEFT JOIN pg_class AS relation ON relation.oid = pg_constraint.conrelid
LEFT JOIN pg_type ON pg_type.oid = pg_constraint.contypid
WHERE namespace.nspname = ANY (%(schemas)s)
  AND NOT pg_constraint.convalidated
  AND pg_constraint.conparentid = 0
ORDER BY name

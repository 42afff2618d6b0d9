-- one row: a constraint; NOT NULL is a property of its column (since 18 the server lists it here too), inherited ones are the parent's
SELECT format('%%I.%%I.%%I', namespace.nspname, coalesce(relation.relname, pg_type.typname), pg_constraint.conname) AS name,
       concat_ws(' ', pg_get_constraintdef(pg_constraint.oid), CASE WHEN NOT pg_constraint.convalidated THEN '(not valid)' END) AS definition
FROM pg_constraint
JOIN pg_namespace AS namespace ON namespace.oid = pg_constraint.connamespace
LEFT JOIN pg_class AS relation ON relation.oid = pg_constraint.conrelid
LEFT JOIN pg_type ON pg_type.oid = pg_constraint.contypid
WHERE namespace.nspname = ANY (%(schemas)s)
  AND pg_constraint.contype NOT IN ('n', 't')
  AND pg_constraint.conparentid = 0
  AND (pg_constraint.conislocal OR relation.oid IS NULL)
ORDER BY name

-- one row per foreign key of the partitioned table: the statement that gives a month's table the same
SELECT format('ALTER TABLE %%I.%%I ADD CONSTRAINT %%I %%s', %(schema)s::text, %(child)s::text, foreign_key.conname,
              pg_get_constraintdef(foreign_key.oid)) AS statement
FROM pg_constraint AS foreign_key
JOIN pg_class AS class ON class.oid = foreign_key.conrelid
JOIN pg_namespace AS namespace ON namespace.oid = class.relnamespace
WHERE foreign_key.contype = 'f'
  AND foreign_key.conparentid = 0
  AND namespace.nspname = %(schema)s
  AND class.relname = %(table)s
ORDER BY foreign_key.conname

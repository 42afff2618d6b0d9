-- The schema of an extension.
SELECT n.nspname FROM pg_extension AS e INNER JOIN pg_namespace AS n ON n.oid = e.extnamespace WHERE e.extname = %(name)s

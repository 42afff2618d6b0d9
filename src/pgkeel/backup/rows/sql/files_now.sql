-- The file of a relation that is still there.
SELECT c.oid::int8 AS relation,
    coalesce(nullif(c.reltablespace, 0), d.dattablespace) || '/' || d.oid || '/' || pg_relation_filenode(c.oid) AS file
FROM pg_class AS c
INNER JOIN pg_database AS d ON d.datname = current_database()
WHERE c.oid = ANY(%(relations)s::oid[]) AND pg_relation_filenode(c.oid) IS NOT NULL
ORDER BY relation

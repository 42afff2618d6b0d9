-- The file of a table, or of one that is a part of it.
WITH RECURSIVE part (oid) AS (
    SELECT c.oid FROM pg_class AS c INNER JOIN pg_namespace AS n ON n.oid = c.relnamespace
    WHERE n.nspname = %(schema)s AND c.relname = %(name)s
    UNION
    SELECT i.inhrelid FROM pg_inherits AS i INNER JOIN part ON part.oid = i.inhparent
)
SELECT part.oid::int8 AS relation, f.spc || '/' || f.db || '/' || f.number AS file
FROM part
INNER JOIN pg_class AS c ON c.oid = part.oid
CROSS JOIN LATERAL (
    SELECT coalesce(nullif(c.reltablespace, 0), d.dattablespace) AS spc, d.oid AS db, pg_relation_filenode(c.oid) AS number
    FROM pg_database AS d WHERE d.datname = current_database()
) AS f
WHERE f.number IS NOT NULL
ORDER BY relation

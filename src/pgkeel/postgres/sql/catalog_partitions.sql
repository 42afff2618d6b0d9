-- one row: a partition with its parent and its bounds
SELECT format('%%I.%%I', namespace.nspname, relation.relname) AS name,
       concat_ws(' ', 'of', pg_inherits.inhparent::regclass, pg_get_expr(relation.relpartbound, relation.oid),
           'by ' || pg_get_partkeydef(relation.oid)) AS definition
FROM pg_class AS relation
JOIN pg_namespace AS namespace ON namespace.oid = relation.relnamespace
JOIN pg_inherits ON pg_inherits.inhrelid = relation.oid
WHERE namespace.nspname = ANY (%(schemas)s)
  AND relation.relkind IN ('r', 'p', 'f')
  AND relation.relispartition
ORDER BY name

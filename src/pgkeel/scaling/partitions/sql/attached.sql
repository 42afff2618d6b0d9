-- one row per attached partition: its name and its bound as the server prints it
SELECT child.relname::text AS name,
       pg_get_expr(child.relpartbound, child.oid) AS bound
FROM pg_inherits AS link
JOIN pg_class AS child ON child.oid = link.inhrelid
JOIN pg_class AS parent ON parent.oid = link.inhparent
JOIN pg_namespace AS namespace ON namespace.oid = parent.relnamespace
WHERE namespace.nspname = %(schema)s AND parent.relname = %(table)s
ORDER BY child.relname

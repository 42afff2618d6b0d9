-- A sequence that counts up and gives a column of a table its numbers: it is the column's own, or its default asks it.
SELECT DISTINCT a.attname AS "column", sn.nspname AS schema, s.relname AS name, q.seqmax AS highest
FROM pg_class AS c
INNER JOIN pg_namespace AS n ON n.oid = c.relnamespace
INNER JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.atttypid IN ('int2'::regtype, 'int4'::regtype, 'int8'::regtype)
LEFT JOIN pg_attrdef AS f ON f.adrelid = c.oid AND f.adnum = a.attnum
INNER JOIN pg_depend AS d ON d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass
    AND d.refobjid = c.oid AND d.refobjsubid = a.attnum AND d.deptype IN ('a', 'i')
    OR d.classid = 'pg_attrdef'::regclass AND d.objid = f.oid AND d.refclassid = 'pg_class'::regclass
INNER JOIN pg_class AS s ON s.relkind = 'S' AND s.oid IN (d.objid, d.refobjid)
INNER JOIN pg_namespace AS sn ON sn.oid = s.relnamespace
INNER JOIN pg_sequence AS q ON q.seqrelid = s.oid AND q.seqincrement > 0
WHERE n.nspname = %(schema)s AND c.relname = %(name)s
ORDER BY 1, 2, 3

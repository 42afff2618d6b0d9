-- A foreign key from or to a table; those that partitions inherit are left out.
SELECT
    f.conname AS name,
    jsonb_build_object('schema', cn.nspname, 'name', c.relname) AS child,
    (SELECT array_agg(a.attname::text ORDER BY k.place) FROM unnest(f.conkey) WITH ORDINALITY AS k (number, place)
        INNER JOIN pg_attribute AS a ON a.attrelid = f.conrelid AND a.attnum = k.number) AS columns,
    jsonb_build_object('schema', pn.nspname, 'name', p.relname) AS parent,
    (SELECT array_agg(a.attname::text ORDER BY k.place) FROM unnest(f.confkey) WITH ORDINALITY AS k (number, place)
        INNER JOIN pg_attribute AS a ON a.attrelid = f.confrelid AND a.attnum = k.number) AS keys,
    f.confdeltype AS on_delete,
    (SELECT array_agg(a.attname::text ORDER BY k.place) FROM unnest(coalesce(f.confdelsetcols, f.conkey)) WITH ORDINALITY AS k (number, place)
        INNER JOIN pg_attribute AS a ON a.attrelid = f.conrelid AND a.attnum = k.number) AS emptied
FROM pg_constraint AS f
INNER JOIN pg_class AS c ON c.oid = f.conrelid
INNER JOIN pg_namespace AS cn ON cn.oid = c.relnamespace
INNER JOIN pg_class AS p ON p.oid = f.confrelid
INNER JOIN pg_namespace AS pn ON pn.oid = p.relnamespace
WHERE f.contype = 'f' AND f.conparentid = 0
    AND ((cn.nspname = %(schema)s AND c.relname = %(name)s) OR (pn.nspname = %(schema)s AND p.relname = %(name)s))
ORDER BY f.conname, cn.nspname, c.relname

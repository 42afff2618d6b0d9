-- A unique index on whole columns, for all rows; nulls are distinct in it.
SELECT
    x.relname AS name,
    array_agg(a.attname::text ORDER BY k.place) AS columns,
    i.indisprimary AS is_primary,
    NOT i.indimmediate AS is_deferrable
FROM pg_index AS i
INNER JOIN pg_class AS c ON c.oid = i.indrelid
INNER JOIN pg_namespace AS n ON n.oid = c.relnamespace
INNER JOIN pg_class AS x ON x.oid = i.indexrelid
CROSS JOIN LATERAL unnest(i.indkey::int2[]) WITH ORDINALITY AS k (number, place)
INNER JOIN pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = k.number
WHERE n.nspname = %(schema)s AND c.relname = %(name)s AND i.indisunique AND i.indisvalid
    AND i.indpred IS NULL AND i.indexprs IS NULL AND k.place <= i.indnkeyatts
GROUP BY x.relname, i.indisprimary, i.indimmediate
ORDER BY x.relname

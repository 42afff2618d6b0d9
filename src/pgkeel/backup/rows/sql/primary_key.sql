-- The columns of a table's primary key.
SELECT array_agg(a.attname::text ORDER BY k.place) AS columns
FROM pg_index AS i
INNER JOIN pg_class AS c ON c.oid = i.indrelid
INNER JOIN pg_namespace AS n ON n.oid = c.relnamespace
CROSS JOIN LATERAL unnest(i.indkey::int2[]) WITH ORDINALITY AS k (number, place)
INNER JOIN pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = k.number
WHERE n.nspname = %(schema)s AND c.relname = %(name)s AND i.indisprimary AND k.place <= i.indnkeyatts

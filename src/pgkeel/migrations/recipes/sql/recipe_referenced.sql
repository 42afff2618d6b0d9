-- one row: whether columns of a table are a key that a foreign key may name
SELECT EXISTS (SELECT FROM pg_index
               WHERE indrelid = %(table)s::oid AND indisunique AND indisvalid AND indimmediate AND indpred IS NULL AND indexprs IS NULL
                 AND indnkeyatts = cardinality(%(columns)s::int[])
                 AND ARRAY (SELECT unnest(indkey[0:indnkeyatts - 1])::int ORDER BY 1)
                   = ARRAY (SELECT unnest(%(columns)s::int[]) ORDER BY 1)) AS is_key,
       EXISTS (SELECT FROM pg_index
               WHERE indrelid = %(table)s::oid AND indisvalid AND indpred IS NULL
                 AND ARRAY (SELECT unnest(indkey[0:cardinality(%(columns)s::int[]) - 1])::int ORDER BY 1)
                   = ARRAY (SELECT unnest(%(columns)s::int[]) ORDER BY 1)) AS is_indexed
ORDER BY 1

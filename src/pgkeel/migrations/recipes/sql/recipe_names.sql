-- one row: a name as SQL writes it, and what has it already on this table or in its schema
SELECT quote_ident(name) AS sql,
       (SELECT 'column' FROM pg_attribute WHERE attrelid = %(table)s::oid AND attname = name AND NOT attisdropped
        UNION ALL SELECT 'constraint' FROM pg_constraint WHERE conrelid = %(table)s::oid AND conname = name
        UNION ALL SELECT 'relation' FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
            WHERE relname = name AND nspname = %(schema)s
        LIMIT 1) AS taken_by
FROM unnest(%(names)s::text[]) WITH ORDINALITY AS given (name, place)
ORDER BY place

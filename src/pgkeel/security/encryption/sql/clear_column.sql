-- one row: a column that is to be encrypted
SELECT format_type(attribute.atttypid, attribute.atttypmod) AS type,
       class.relkind <> 'r' OR class.relispartition AS is_partitioned,
       attribute.attnotnull AS is_not_null,
       attribute.atttypid IN ('text'::regtype, 'varchar'::regtype, 'bpchar'::regtype) AS is_text,
       attribute.atttypid = 'bytea'::regtype AS is_bytea,
       (SELECT main.attname
        FROM pg_index AS index
        JOIN pg_attribute AS main ON main.attrelid = index.indrelid AND main.attnum = index.indkey[0]
        WHERE index.indrelid = attribute.attrelid AND index.indisprimary AND index.indnkeyatts = 1) AS key
FROM pg_attribute AS attribute
JOIN pg_class AS class ON class.oid = attribute.attrelid
WHERE attribute.attrelid = to_regclass(%(table)s::text)
  AND attribute.attname = %(column)s
  AND NOT attribute.attisdropped
ORDER BY 1

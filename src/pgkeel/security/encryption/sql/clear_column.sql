-- one row: a column that is to be encrypted
SELECT format_type(attribute.atttypid, attribute.atttypmod) AS type,
       class.relkind <> 'r' OR EXISTS (SELECT FROM pg_inherits WHERE class.oid IN (inhparent, inhrelid)) AS is_partitioned,
       class.relrowsecurity AS has_policies,
       row_security_active(class.oid) AS hides_rows,
       attribute.attgenerated <> '' AS is_generated,
       pg_get_expr(default_.adbin, default_.adrelid) AS default_,
       attribute.attnotnull AS is_not_null,
       attribute.atttypid IN ('text'::regtype, 'varchar'::regtype, 'bpchar'::regtype) AS is_text,
       attribute.atttypid = 'bytea'::regtype AS is_bytea,
       (SELECT format_type(main.atttypid, NULL)
        FROM pg_index AS index
        JOIN pg_attribute AS main ON main.attrelid = index.indrelid AND main.attnum = index.indkey[0]
        WHERE index.indrelid = attribute.attrelid AND index.indisprimary AND index.indnkeyatts = 1) AS key_type,
       (SELECT max(late.tgname::text COLLATE "C")
        FROM pg_trigger AS late
        JOIN pg_proc AS function ON function.oid = late.tgfoid
        WHERE late.tgrelid = attribute.attrelid
          AND NOT late.tgisinternal
          AND late.tgtype & 19 = 19 -- FOR EACH ROW (1), BEFORE (2), UPDATE (16)
          AND function.proname NOT IN ('bump_version', 'set_updated_at', 'keep_status') -- those of the house leave columns alone
          AND function.proname NOT LIKE '%%\_unseal') AS last_trigger,
       (SELECT main.attname
        FROM pg_index AS index
        JOIN pg_attribute AS main ON main.attrelid = index.indrelid AND main.attnum = index.indkey[0]
        WHERE index.indrelid = attribute.attrelid AND index.indisprimary AND index.indnkeyatts = 1) AS key
FROM pg_attribute AS attribute
JOIN pg_class AS class ON class.oid = attribute.attrelid
LEFT JOIN pg_attrdef AS default_ ON default_.adrelid = attribute.attrelid AND default_.adnum = attribute.attnum
WHERE attribute.attrelid = to_regclass(%(table)s::text)
  AND attribute.attname = %(column)s
  AND NOT attribute.attisdropped
ORDER BY 1

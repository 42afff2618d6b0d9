-- one row: a constraint or an index that rests on a column
SELECT constraint_.conname AS name, 'constraint' AS kind, pg_get_constraintdef(constraint_.oid) AS definition, constraint_.conkey = ARRAY[attribute.attnum] AND constraint_.contype = 'u' AS is_unique
FROM pg_constraint AS constraint_
JOIN pg_attribute AS attribute ON attribute.attrelid = constraint_.conrelid AND attribute.attnum = ANY (constraint_.conkey)
WHERE constraint_.conrelid = to_regclass(%(table)s::text)
  AND constraint_.contype IN ('c', 'u', 'x')
  AND attribute.attname = %(column)s
UNION ALL
SELECT class.relname, 'index', pg_get_indexdef(class.oid), index.indisunique AND index.indnkeyatts = 1 AND index.indpred IS NULL
FROM pg_index AS index
JOIN pg_class AS class ON class.oid = index.indexrelid
WHERE index.indrelid = to_regclass(%(table)s::text)
  AND EXISTS (
      SELECT FROM pg_depend AS use
      JOIN pg_attribute AS attribute ON attribute.attrelid = use.refobjid AND attribute.attnum = use.refobjsubid
      WHERE use.classid = 'pg_class'::regclass
        AND use.objid = index.indexrelid
        AND use.refclassid = 'pg_class'::regclass
        AND use.refobjid = index.indrelid
        AND attribute.attname = %(column)s
  )
ORDER BY 2, 1

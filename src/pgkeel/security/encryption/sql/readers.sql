-- one row: what reads a column and neither goes nor changes with it: a view, a key, a generated column, a trigger, a policy
SELECT DISTINCT CASE
           WHEN rule.oid IS NOT NULL THEN pg_describe_object('pg_class'::regclass, rule.ev_class, 0)
           WHEN default_.oid IS NOT NULL THEN pg_describe_object('pg_class'::regclass, default_.adrelid, default_.adnum)
           ELSE pg_describe_object(use.classid, use.objid, use.objsubid)
       END AS reader
FROM pg_depend AS use
JOIN pg_attribute AS attribute ON attribute.attrelid = use.refobjid AND attribute.attnum = use.refobjsubid
LEFT JOIN pg_rewrite AS rule ON use.classid = 'pg_rewrite'::regclass AND rule.oid = use.objid
LEFT JOIN pg_attrdef AS default_ ON use.classid = 'pg_attrdef'::regclass AND default_.oid = use.objid
LEFT JOIN pg_constraint AS constraint_ ON use.classid = 'pg_constraint'::regclass AND constraint_.oid = use.objid
WHERE use.refclassid = 'pg_class'::regclass
  AND use.refobjid = to_regclass(%(table)s::text)
  AND attribute.attname = ANY (%(columns)s)
  AND use.classid <> 'pg_class'::regclass
  AND (default_.oid IS NULL OR default_.adnum <> attribute.attnum)
  AND (constraint_.oid IS NULL OR constraint_.contype IN ('f', 'p'))
ORDER BY 1

-- one row: a table as far as its file matters: dropped columns, and the rewrite that took their values away
SELECT class.oid::regclass::text AS "table",
       EXISTS (SELECT FROM pg_attribute WHERE attrelid = class.oid AND attnum > 0 AND attisdropped) AS has_dropped,
       scrub.at AS scrubbed_at,
       scrub.wal AS scrubbed_wal
FROM pg_class AS class
LEFT JOIN pgkeel.scrubs AS scrub ON scrub.column_name = %(name)s
WHERE class.oid = to_regclass(%(table)s::text)
ORDER BY 1

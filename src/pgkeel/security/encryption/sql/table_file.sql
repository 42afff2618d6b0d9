-- one row: a table as far as its file matters: dropped columns, and the rewrite that took their values away
SELECT class.oid::regclass::text AS "table",
       EXISTS (SELECT FROM pg_attribute WHERE attrelid = class.oid AND attnum > 0 AND attisdropped) AS has_dropped,
       CASE WHEN NOT later.is_encrypted_again THEN scrub.at END AS scrubbed_at
FROM pg_class AS class
LEFT JOIN pgkeel.scrubs AS scrub ON scrub.column_name = %(name)s
CROSS JOIN LATERAL (
    -- since the rewrite the column got its name and another one was dropped: it was clear in between
    SELECT count(*) FILTER (WHERE attisdropped) > 0 AND count(*) FILTER (WHERE attname = %(column)s) > 0 AS is_encrypted_again
    FROM pg_attribute
    WHERE attrelid = class.oid AND attnum > 0 AND age(pg_attribute.xmin) < age(scrub.xmin)
) AS later
WHERE class.oid = to_regclass(%(table)s::text)
ORDER BY 1

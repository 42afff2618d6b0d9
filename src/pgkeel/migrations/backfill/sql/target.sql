-- one row: a table and the column along which a backfill walks
SELECT namespace.nspname AS schema, class.relname AS "table", attribute.attname AS "column",
       format_type(attribute.atttypid, NULL) AS type,
       attribute.attnotnull AS is_not_null,
       row_security_active(class.oid)
           AND NOT coalesce(
               (SELECT bool_and(policy.polpermissive)
                    AND bool_or(
                        policy.polcmd = '*'
                        AND pg_get_expr(policy.polqual, policy.polrelid) = 'true'
                        AND EXISTS (
                            SELECT FROM unnest(policy.polroles) AS given (role)
                            WHERE given.role = 0 OR pg_has_role(given.role, 'USAGE')
                        )
                    )
                FROM pg_policy AS policy
                WHERE policy.polrelid = class.oid), false) AS hides_rows, -- a policy may let this login see all
       EXISTS (SELECT FROM pg_index AS index
               WHERE index.indrelid = class.oid
                 AND index.indkey[0] = attribute.attnum
                 AND index.indisvalid
                 AND index.indpred IS NULL) AS has_index
FROM pg_class AS class
JOIN pg_namespace AS namespace ON namespace.oid = class.relnamespace
LEFT JOIN pg_index AS main ON main.indrelid = class.oid AND main.indisprimary AND main.indnkeyatts = 1
LEFT JOIN pg_attribute AS attribute ON attribute.attrelid = class.oid
    AND attribute.attnum > 0
    AND NOT attribute.attisdropped
    AND CASE WHEN %(key)s::text IS NULL THEN attribute.attnum = main.indkey[0] ELSE attribute.attname = lower(%(key)s::text) END
WHERE class.oid = to_regclass(%(table)s::text) AND class.relkind IN ('r', 'p')
ORDER BY 1, 2

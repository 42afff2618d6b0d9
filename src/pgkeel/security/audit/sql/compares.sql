-- utility: whether the equality of a column's type lies in pg_catalog and says of two that are written otherwise that they differ: json has
-- none, that of an extension is not found there, and a month equals 30 days
CREATE OR REPLACE FUNCTION audit.compares(target regclass, named text) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $body$
    WITH RECURSIVE base AS (
        SELECT atttypid AS type FROM pg_attribute WHERE attrelid = target AND attname = named
        UNION ALL
        SELECT coalesce(nullif(pg_type.typbasetype, 0), pg_type.typelem) FROM base JOIN pg_type ON pg_type.oid = base.type
        WHERE pg_type.typbasetype <> 0 OR pg_type.typcategory = 'A'
    )
    SELECT bool_or(pg_type.typtype = 'e' OR EXISTS (
               SELECT FROM pg_operator
               WHERE oprname = '=' AND oprcanmerge AND oprnamespace = 'pg_catalog'::regnamespace
                 AND oprleft = pg_type.oid AND oprright = pg_type.oid AND oprleft <> 'interval'::regtype))
    FROM base JOIN pg_type ON pg_type.oid = base.type
    WHERE pg_type.typbasetype = 0 AND pg_type.typcategory <> 'A'
$body$;

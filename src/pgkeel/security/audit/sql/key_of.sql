-- utility: the names of a table's key, in its order
CREATE OR REPLACE FUNCTION audit.key_of(target regclass) RETURNS text[]
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $body$
    SELECT array_agg(attribute.attname::text ORDER BY array_position(index.indkey::int2[], attribute.attnum))
    FROM pg_index AS index
    JOIN pg_attribute AS attribute ON attribute.attrelid = index.indrelid AND attribute.attnum = ANY (index.indkey)
    WHERE index.indrelid = target AND index.indisprimary
$body$;

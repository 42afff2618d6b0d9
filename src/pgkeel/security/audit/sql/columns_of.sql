-- utility: the names of a table's columns
CREATE OR REPLACE FUNCTION audit.columns_of(target regclass) RETURNS text[]
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $body$
    SELECT array_agg(attname::text ORDER BY attnum) FROM pg_attribute WHERE attrelid = target AND attnum > 0 AND NOT attisdropped
$body$;

-- utility: the columns of a table as one text: when it is another, the triggers must be made anew
CREATE OR REPLACE FUNCTION audit.shape_of(target regclass) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $body$
    SELECT target::oid || ':' || string_agg(attnum || ' ' || quote_ident(attname) || ' ' || atttypid, ',' ORDER BY attnum)
    FROM pg_attribute WHERE attrelid = target AND attnum > 0 AND NOT attisdropped
$body$;

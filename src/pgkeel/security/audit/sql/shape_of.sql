-- utility: the columns of a table as one text, the same wherever the table is restored: when it is another, the triggers must be made anew
CREATE OR REPLACE FUNCTION audit.shape_of(target regclass) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $body$
    SELECT string_agg(quote_ident(attname) || ' ' || format_type(atttypid, NULL), ', ' ORDER BY attnum)
    FROM pg_attribute WHERE attrelid = target AND attnum > 0 AND NOT attisdropped
$body$;

-- utility: what of a name takes so many bytes at most
CREATE OR REPLACE FUNCTION audit.cut(given text, most integer) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $body$
    SELECT left(given, max(length)) FROM generate_series(0, most) AS length WHERE octet_length(left(given, length)) <= most
$body$;

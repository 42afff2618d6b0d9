-- utility: the digest of a seal: of the one before, its place and its batch
CREATE OR REPLACE FUNCTION audit.chained(
    previous bytea, number bigint, epoch integer, lower_xid bigint, upper_xid bigint, month date, rows bigint, batch bytea
) RETURNS bytea LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $body$
    SELECT sha256(previous || convert_to(jsonb_build_array(number, epoch, lower_xid, upper_xid, to_char(month, 'YYYY-MM-DD'), rows)::text,
        'UTF8') || batch)
$body$;

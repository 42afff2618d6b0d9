-- utility: a time-ordered id (RFC 9562, version 7), with one body on every major
CREATE OR REPLACE FUNCTION new_id() RETURNS uuid
LANGUAGE sql VOLATILE PARALLEL SAFE
AS $function$
    SELECT (overlay(lpad(to_hex((extract(epoch FROM clock_timestamp()) * 4096000)::bigint), 15, '0') PLACING '7' FROM 13 FOR 0)
            || substring(gen_random_uuid()::text FROM 20))::uuid
$function$

-- utility: a value of json as jsonb, or as its text where jsonb cannot hold it: no write is refused for what the log notes of it
CREATE OR REPLACE FUNCTION audit.in_json(given json) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $body$
BEGIN
    RETURN given::jsonb;
EXCEPTION WHEN data_exception OR program_limit_exceeded THEN
    RETURN to_jsonb(given::text);
END
$body$;

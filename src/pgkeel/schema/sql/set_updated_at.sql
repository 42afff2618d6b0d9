-- utility: keeps updated_at; rows are compared by their image (*<>), so that columns without equality (json) may stand in the table
CREATE OR REPLACE FUNCTION set_updated_at() RETURNS trigger
LANGUAGE plpgsql
AS $function$
BEGIN
    IF NEW *<> OLD AND current_setting('pgkeel.resealing', true) IS DISTINCT FROM 'on' THEN
        NEW.updated_at := clock_timestamp();
    END IF;
    RETURN NEW;
END
$function$

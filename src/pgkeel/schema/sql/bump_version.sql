-- utility: keeps version, the base of optimistic locking
CREATE OR REPLACE FUNCTION bump_version() RETURNS trigger
LANGUAGE plpgsql
AS $function$
BEGIN
    IF NEW *<> OLD AND current_setting('pgkeel.resealing', true) IS DISTINCT FROM 'on' THEN
        NEW.version := OLD.version + 1;
    END IF;
    RETURN NEW;
END
$function$

-- utility: keeps the status that a soft-deleted row had and brings it back on restore; argument: the status when none is known
CREATE OR REPLACE FUNCTION keep_status() RETURNS trigger
LANGUAGE plpgsql
AS $function$
BEGIN
    IF NEW.deleted_at IS NOT NULL THEN
        NEW.previous_status := OLD.status;
        RETURN NEW;
    END IF;
    IF NEW.status = 'deleted' THEN
        NEW.status := coalesce(OLD.previous_status, TG_ARGV[0]);
    END IF;
    NEW.previous_status := NULL;
    RETURN NEW;
END
$function$

-- utility: numbers the rows of audit.log as those of audit.fresh; before, they had a sequence of their own
DO $body$
BEGIN
    IF to_regclass('audit.log_seq') IS NULL THEN
        RETURN;
    END IF;
    LOCK TABLE audit.log IN ACCESS EXCLUSIVE MODE; -- what follows is noted, too, with a number
    PERFORM setval('audit.fresh_seq_seq', greatest(nextval('audit.fresh_seq_seq'), nextval('audit.log_seq')));
    ALTER TABLE audit.log ALTER COLUMN seq SET DEFAULT nextval('audit.fresh_seq_seq');
    BEGIN
        DROP SEQUENCE audit.log_seq;
    EXCEPTION WHEN dependent_objects_still_exist THEN
        NULL; -- months that have left the log name it
    END;
END
$body$;

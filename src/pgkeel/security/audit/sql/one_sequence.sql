-- utility: numbers the rows of audit.log as those of audit.noted; older versions had other sequences
DO $body$
DECLARE
    older regclass;
BEGIN
    IF EXISTS (SELECT FROM pg_attrdef JOIN pg_depend ON pg_depend.classid = 'pg_attrdef'::regclass AND pg_depend.objid = pg_attrdef.oid
               WHERE pg_attrdef.adrelid = 'audit.log'::regclass AND pg_depend.refobjid = 'audit.noted_seq_seq'::regclass) THEN
        RETURN;
    END IF;
    LOCK TABLE audit.log IN ACCESS EXCLUSIVE MODE; -- what follows is noted, too, with a number
    FOREACH older IN ARRAY ARRAY[to_regclass('audit.log_seq'), to_regclass('audit.fresh_seq_seq')] LOOP
        IF older IS NOT NULL THEN
            PERFORM setval('audit.noted_seq_seq', greatest(nextval('audit.noted_seq_seq'), nextval(older)));
        END IF;
    END LOOP;
    ALTER TABLE audit.log ALTER COLUMN seq SET DEFAULT nextval('audit.noted_seq_seq');
    DROP SEQUENCE IF EXISTS audit.log_seq CASCADE; -- the default of months that have left the log
END
$body$;

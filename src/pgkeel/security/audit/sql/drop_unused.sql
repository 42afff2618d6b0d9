-- utility: functions that were written for a table which calls them no more
DO $body$
DECLARE
    unused regprocedure;
BEGIN
    FOR unused IN
        SELECT proc.oid
        FROM pg_proc AS proc
        WHERE proc.pronamespace = 'audit'::regnamespace AND proc.proname ~ '__.*_[0-9]+(_parts)?_(insert|update|delete)$'
          AND NOT EXISTS (SELECT FROM pg_trigger AS trigger WHERE trigger.tgfoid = proc.oid)
    LOOP
        EXECUTE format('DROP FUNCTION %%s', unused);
    END LOOP;
END
$body$;

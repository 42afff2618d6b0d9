-- utility: functions in audit that somebody else made belong to pgkeel_audit from now on, and nobody else may call them, but
-- those that reading the log needs
DO $body$
DECLARE
    found record;
BEGIN
    FOR found IN
        SELECT proc.oid::regprocedure AS called
        FROM pg_proc AS proc
        WHERE proc.pronamespace = 'audit'::regnamespace AND proc.proowner <> 'pgkeel_audit'::regrole
    LOOP
        EXECUTE format('ALTER FUNCTION %%s OWNER TO pgkeel_audit', found.called);
    END LOOP;
    REVOKE ALL ON ALL FUNCTIONS IN SCHEMA audit FROM PUBLIC;
    GRANT EXECUTE ON FUNCTION audit.chained, audit.changed, audit.differ, audit.digest_of, audit.shape_of TO pgkeel_auditor;
END
$body$;

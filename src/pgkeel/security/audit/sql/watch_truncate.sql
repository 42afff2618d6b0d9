-- utility: makes the trigger that notes a TRUNCATE, which a partition does not get from the whole
CREATE OR REPLACE FUNCTION audit.watch_truncate(target regclass) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $body$
BEGIN
    EXECUTE format('CREATE OR REPLACE TRIGGER pgkeel_audit_truncate AFTER TRUNCATE ON %%s '
        'FOR EACH STATEMENT EXECUTE FUNCTION audit.note_truncate()', target);
    EXECUTE format('ALTER TABLE %%s ENABLE ALWAYS TRIGGER pgkeel_audit_truncate', target);
END
$body$;
